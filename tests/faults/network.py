"""Between us and the service: refused, reset, silent, slow, misnamed, misdirected; and clocks that are wrong."""
