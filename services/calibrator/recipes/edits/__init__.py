"""What a recipe changes: headers, tables, arguments."""
