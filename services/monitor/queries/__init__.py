"""Reading side of the database: sessions in, records out."""
