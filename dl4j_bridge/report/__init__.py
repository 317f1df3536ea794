"""What a person looks at after a run: pictures, and a page that holds them."""
