"""Path selection and link cost: pure strategies."""
