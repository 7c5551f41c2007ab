"""Where rows come from, one kind a file; ``staging`` chooses among them."""
