"""What nodes say, as bytes and as records. Pure: no socket, no clock; any bytes in, only Malformed
out."""
