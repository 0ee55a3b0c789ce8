// Reading memory as fast as the machine gives it, for benchmarks to measure the other loops against.

static uint64_t OP(read_bytes)(const uint8_t *bytes, size_t count) {
  uint64_t mixed = 0;
  for (size_t i = 0; i + sizeof mixed <= count; i += sizeof mixed) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof word);
    mixed ^= word;
  }
  return mixed;
}
