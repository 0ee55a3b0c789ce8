import Tensors

extension GGUFDestinationTensors {
  /// The number by which `general.file_type` says the type of most weights, where no preset chose it.
  var fileType: UInt32 {
    var byteCounts: [ElementType: Int] = [:]
    for info in tensorInfos { byteCounts[info.elementType, default: 0] += info.byteCount }
    let types = byteCounts.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
    return types.lazy.compactMap { Self.fileTypes[$0.key] }.first ?? 0
  }

  private static let fileTypes: [ElementType: UInt32] = [
    .float32: 0, .float16: 1, .bfloat16: 32, .blockQ40: 2, .blockQ41: 3, .blockQ80: 7,
    .blockQ50: 8, .blockQ51: 9, .blockQ2K: 10, .blockQ3K: 12, .blockQ4K: 15, .blockQ5K: 17,
    .blockQ6K: 18, .blockIQ2XXS: 19, .blockIQ2XS: 20, .blockIQ3XXS: 23, .blockIQ1S: 24,
    .blockIQ4NL: 25, .blockIQ3S: 26, .blockIQ2S: 28, .blockIQ4XS: 30, .blockIQ1M: 31,
    .blockTQ10: 36, .blockTQ20: 37, .blockMXFP4: 38, .blockNVFP4: 39, .blockQ10: 40, .blockQ20: 41,
  ]
}
