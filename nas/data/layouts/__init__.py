"""How people keep photographs: folders, tables, archives and Hugging Face data sets, as one listing."""
