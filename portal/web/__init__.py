"""The shell: base pages, home, tables, exports, error answers, the policy every door declares."""
