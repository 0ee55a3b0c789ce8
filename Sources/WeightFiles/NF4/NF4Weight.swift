import SystemPackage
import Tensors

/// A weight in bitsandbytes' 4-bit *normal float*, with the tensors that belong to it.
///
///     <weight>                  two elements a byte, the first in the high half
///     <weight>.quant_map        [16] F32: what each of the 16 codes stands for
///     <weight>.absmax           one scale for each block of elements: F32, or U8 when nested
///     <weight>.nested_quant_map [256] F32: what each code of a scale stands for
///     <weight>.nested_absmax    F32: one scale for each block of scales
///
/// An element is `quant_map[code] · scale`, a nested scale is
/// `nested_quant_map[code] · nested_absmax + offset`, all in float32.
struct NF4Weight: Sendable {
  let info: TensorInfo
  private let state: NF4QuantState

  /// The names of the tensors that belong to the weight `name`, and are part of it.
  static func partNames(of name: String) -> [String] {
    [
      NF4QuantState.suffix, ".quant_map", ".absmax", ".nested_quant_map", ".nested_absmax",
    ].map { name + $0 }
  }

  /// Finds and checks the parts of the weight `name` in `source`.
  ///
  /// - Throws: `WeightFileError` when one is missing or does not fit the others, or
  ///   `TensorSourceError` from `source`.
  init(_ name: String, in source: any TensorSource, path: FilePath) throws {
    func defect(_ problem: String) -> WeightFileError {
      WeightFileError(.quantization, path, problem)
    }
    func check(_ part: String, _ count: Int, _ type: ElementType) throws {
      let name = "\(name).\(part)"
      guard let info = source.info(named: name) else {
        throw defect("'\(name)' is missing, a part of a weight in NF4")
      }
      guard info.shape.elementCount == count, info.elementType == type else {
        throw defect(
          "'\(name)' is \(info.elementType) \(info.shape), expected \(count) elements of \(type)")
      }
    }

    let stateName = name + NF4QuantState.suffix
    let stateTensor = try source.tensor(named: stateName)
    state = try NF4QuantState(Span(_bytes: stateTensor.bytes), subject: "'\(stateName)'")
    info = TensorInfo(name: name, shape: state.shape, elementType: state.elementType)
    let count = state.shape.elementCount
    guard let codes = source.info(named: name) else {
      throw defect("'\(name)' is missing, whose scales are there")
    }
    // Trainers that need all weights to be of one type store the bytes as elements of that type.
    guard codes.byteCount == (count + 1) / 2 else {
      throw defect(
        "'\(name)' has \(codes.byteCount) bytes, expected \((count + 1) / 2) for NF4 \(state.shape)"
      )
    }
    let blockCount = Self.blockCount(count, state.blockSize)
    try check("quant_map", 16, .float32)
    try check("absmax", blockCount, state.nested == nil ? .float32 : .uint8)
    if let nested = state.nested {
      try check("nested_quant_map", 256, .float32)
      try check("nested_absmax", Self.blockCount(blockCount, nested.blockSize), .float32)
    }
  }

  private static func blockCount(_ count: Int, _ blockSize: Int) -> Int {
    (count + blockSize - 1) / blockSize
  }

  /// The elements in float32, rounded to `elementType`.
  func dequantized(
    from source: any TensorSource, as elementType: ElementType
  ) throws(TensorSourceError) -> Tensor {
    let name = info.name
    let packed = try source.tensor(named: name)
    let map = try source.tensor(named: "\(name).quant_map")
    let scales = try scales(from: source)
    let count = state.shape.elementCount
    return Tensor(shape: state.shape, elementType: elementType) { output in
      let codes = Span<UInt8>(_bytes: packed.bytes)
      let values = map.floatElements
      let scales = scales.floatElements
      var start = 0
      for block in scales.indices {
        let end = min(start + state.blockSize, count)
        let scale = scales[block]
        for element in start..<end {
          let byte = codes[element >> 1]
          let code = element & 1 == 0 ? byte >> 4 : byte & 15
          output.store(values[Int(code)] * scale, at: element, as: elementType)
        }
        start = end
      }
    }
  }

  /// One scale for each block, in float32.
  private func scales(from source: any TensorSource) throws(TensorSourceError) -> Tensor {
    let stored = try source.tensor(named: "\(info.name).absmax")
    guard let nested = state.nested else { return stored }
    let map = try source.tensor(named: "\(info.name).nested_quant_map")
    let outer = try source.tensor(named: "\(info.name).nested_absmax")
    return Tensor(shape: stored.shape, elementType: .float32) { output in
      let codes = Span<UInt8>(_bytes: stored.bytes)
      let values = map.floatElements
      let scales = outer.floatElements
      for block in codes.indices {
        // Two roundings, as bitsandbytes has them.
        let product = values[Int(codes[block])] * scales[block / nested.blockSize]
        output.store(product + nested.offset, at: block, as: .float32)
      }
    }
  }
}

extension MutableRawSpan {
  /// Stores element `index` of a tensor of F32, F16 or BF16, rounded to nearest even.
  fileprivate mutating func store(_ value: Float, at index: Int, as type: ElementType) {
    switch type {
    case .float16:
      storeBytes(of: Float16(value).bitPattern, toByteOffset: index * 2, as: UInt16.self)
    case .bfloat16:
      let bits = value.bitPattern
      let rounded = value.isNaN ? bits | 0x40_0000 : bits + 0x7FFF + (bits >> 16 & 1)
      storeBytes(
        of: UInt16(truncatingIfNeeded: rounded >> 16), toByteOffset: index * 2, as: UInt16.self)
    default: storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
    }
  }
}
