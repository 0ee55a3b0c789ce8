import JSON
import Tensors

/// What bitsandbytes notes about a quantized weight, as JSON in the bytes of a tensor of its own:
/// `<weight>.quant_state.bitsandbytes__nf4`.
struct NF4QuantState {
  static let suffix = ".quant_state.bitsandbytes__nf4"

  /// Elements that share a scale.
  let blockSize: Int
  /// The type that the weight had and is computed in.
  let elementType: ElementType
  let shape: Shape
  /// How the scales themselves are quantized; nil when they are floats.
  let nested: Nested?

  struct Nested {
    /// Scales that share a scale.
    let blockSize: Int
    /// What is added to each scale: their mean, which was subtracted before.
    let offset: Float
  }

  /// Reads the state.
  ///
  /// - Parameter subject: what messages begin with.
  /// - Throws: `JSONFieldError` when a key is missing, of another type or of another scheme.
  init(_ bytes: Span<UInt8>, subject: String) throws(JSONFieldError) {
    let document: JSONValue
    do {
      document = try JSONValue(parsing: bytes)
    } catch {
      throw JSONFieldError("\(subject): not JSON: \(error)")
    }
    let fields = try JSONFields(document, subject: subject)
    let scheme = try fields.required("quant_type", as: String.self)
    guard scheme == "nf4" else {
      throw JSONFieldError("\(subject): 'quant_type' is \"\(scheme)\", expected \"nf4\"")
    }
    let type = try fields.required("dtype", as: String.self)
    let known: [ElementType] = [.float32, .float16, .bfloat16]
    guard let elementType = known.first(where: { $0.torchName == type }) else {
      throw JSONFieldError(
        "\(subject): 'dtype' is \"\(type)\", expected \"float32\", \"float16\" or \"bfloat16\"")
    }
    let extents = try fields.required("shape", as: [Int].self)
    guard extents.allSatisfy({ $0 > 0 }),
      let byteCount = ElementType.float32.byteCount(of: Shape(extents)), byteCount < 1 << 60
    else {
      throw JSONFieldError(
        "\(subject): 'shape' is \(extents), expected positive extents "
          + "whose product fits a file")
    }
    self.elementType = elementType
    shape = Shape(extents)
    blockSize = try Self.blockSize("blocksize", in: fields)
    // Present exactly when the scales are quantized.
    nested =
      try fields.optional("nested_offset", as: Double.self).map { offset throws(JSONFieldError) in
        guard offset.isFinite, Float(offset).isFinite else {
          throw JSONFieldError("\(subject): 'nested_offset' is \(offset), expected a finite number")
        }
        let type = try fields.required("nested_dtype", as: String.self)
        guard type == "float32" else {
          throw JSONFieldError("\(subject): 'nested_dtype' is \"\(type)\", expected \"float32\"")
        }
        return Nested(
          blockSize: try Self.blockSize("nested_blocksize", in: fields), offset: Float(offset))
      }
  }

  private static func blockSize(
    _ key: String, in fields: JSONFields
  ) throws(JSONFieldError) -> Int {
    let size = try fields.required(key, as: Int.self)
    // The sizes for which bitsandbytes has kernels lie between these.
    guard 16...4096 ~= size, size.nonzeroBitCount == 1 else {
      throw JSONFieldError(
        "\(fields.subject): '\(key)' is \(size), expected a power of two from 16 to 4096")
    }
    return size
  }
}
