"""Chat: templates, the turns that a model writes, how they end, calls, and the certificate of their mask."""
