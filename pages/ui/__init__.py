"""What the pages share and only Streamlit knows: layout, controls, caching, the live view."""
