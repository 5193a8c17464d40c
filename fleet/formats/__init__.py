"""What came of a sweep, in the output formats that programs and people read. All pure."""
