"""Chat: templates, the turns that a model generates, how they end, calls, and the certificate of their mask."""
