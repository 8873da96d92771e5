"""What a network looks at: attributions for any module, and our types made known to libraries."""
