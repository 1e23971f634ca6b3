"""Losses of logits and labels, and class weights."""
