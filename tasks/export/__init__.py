"""A trained model -> the same model in another form, and the gate that refuses a form that answers otherwise."""
