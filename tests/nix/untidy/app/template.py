class {{ name }}: pass
