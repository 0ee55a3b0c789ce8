public import Files

/// An immutable array of numbers: a shape, an element type and bytes that are mapped or owned.
///
/// Copies share their bytes. Elements are row-major and little-endian, as every format Flare reads
/// stores them.
public struct Tensor: Sendable {
  public let shape: Shape
  public let elementType: ElementType
  private let storage: Storage

  private enum Storage: Sendable {
    case mapped(MappedFile, Range<Int>)
    case owned(OwnedBytes, Range<Int>)
  }

  /// A tensor whose bytes are a range of a mapped file.
  ///
  /// - Precondition: the range is inside the file and as long as the shape needs, which the reader
  ///   of the file has checked.
  public init(shape: Shape, elementType: ElementType, in file: MappedFile, at range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= file.byteCount, "Range out of bounds")
    precondition(elementType.byteCount(of: shape) == range.count, "Byte count does not fit shape")
    self.shape = shape
    self.elementType = elementType
    storage = .mapped(file, range)
  }

  /// A tensor with bytes of its own, zero until `fill` writes them.
  ///
  /// - Precondition: the element type can have the shape.
  public init<Failure: Error>(
    shape: Shape, elementType: ElementType,
    filledBy fill: (inout MutableRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    guard let byteCount = elementType.byteCount(of: shape) else {
      preconditionFailure("Element type cannot have the shape")
    }
    self.shape = shape
    self.elementType = elementType
    storage = .owned(try OwnedBytes(byteCount: byteCount, filledBy: fill), 0..<byteCount)
  }

  /// The bytes of `tensor` under another shape that needs as many.
  init(_ tensor: Tensor, shape: Shape) {
    self.shape = shape
    elementType = tensor.elementType
    storage = tensor.storage
  }

  private init(shape: Shape, elementType: ElementType, storage: Storage) {
    self.shape = shape
    self.elementType = elementType
    self.storage = storage
  }

  public var byteCount: Int {
    switch storage {
    case .mapped(_, let range), .owned(_, let range): range.count
    }
  }

  /// The bytes, in the order and encoding of `elementType`.
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let span: RawSpan
      switch storage {
      case .mapped(let file, let range):
        span = unsafe _overrideLifetime(file.bytes.extracting(range), borrowing: self)
      case .owned(let bytes, let range):
        span = unsafe _overrideLifetime(bytes.bytes.extracting(range), borrowing: self)
      }
      return span
    }
  }
}

extension Tensor {
  /// The same elements in memory of their own when they are in a mapped file, so that computing with
  /// them touches no device.
  ///
  /// - Throws: `FileError` when the file cannot be read or has become shorter, which a mapping could
  ///   only answer with the end of the process.
  package func loaded() throws(FileError) -> Tensor {
    guard case .mapped(let file, let range) = storage else { return self }
    let bytes = try OwnedBytes(byteCount: range.count) { (span) throws(FileError) in
      try file.read(at: range.lowerBound, into: &span)
    }
    return Tensor(shape: shape, elementType: elementType, storage: .owned(bytes, 0..<range.count))
  }

  /// Asks the system to have the bytes at hand soon.
  package func prefetch() {
    if case .mapped(let file, let range) = storage { file.prefetch(range) }
  }

  /// The bytes of a range under another shape, without a copy.
  ///
  /// - Precondition: the range is inside, and as long as the shape needs.
  func part(_ range: Range<Int>, shape: Shape) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "Range out of bounds")
    precondition(elementType.byteCount(of: shape) == range.count, "Byte count does not fit shape")
    func moved(_ whole: Range<Int>) -> Range<Int> {
      whole.lowerBound + range.lowerBound..<whole.lowerBound + range.upperBound
    }
    let storage: Storage =
      switch storage {
      case .mapped(let file, let whole): .mapped(file, moved(whole))
      case .owned(let bytes, let whole): .owned(bytes, moved(whole))
      }
    return Tensor(shape: shape, elementType: elementType, storage: storage)
  }
}

extension Tensor {
  /// A float32 tensor of the given elements.
  ///
  /// - Precondition: there are as many as the shape needs.
  public init(_ elements: [Float], shape: Shape) {
    precondition(elements.count == shape.elementCount, "Element count does not fit shape")
    self.init(shape: shape, elementType: .float32) { bytes in
      for (index, element) in elements.enumerated() {
        bytes.storeBytes(of: element, toByteOffset: index * 4, as: Float.self)
      }
    }
  }

  /// The elements of a float32 tensor.
  ///
  /// - Precondition: the element type is float32.
  public var floatElements: Span<Float> {
    @_lifetime(borrow self)
    get {
      precondition(elementType == .float32, "Not a float32 tensor")
      return Span(_bytes: bytes)
    }
  }
}
