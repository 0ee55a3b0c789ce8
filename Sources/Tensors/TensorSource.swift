public import Files

/// The name, shape and type of a tensor, known without touching its bytes.
public struct TensorInfo: Sendable, Hashable {
  public let name: String
  public let shape: Shape
  public let elementType: ElementType

  public init(name: String, shape: Shape, elementType: ElementType) {
    self.name = name
    self.shape = shape
    self.elementType = elementType
  }

  /// The bytes the tensor occupies.
  public var byteCount: Int {
    guard let count = elementType.byteCount(of: shape) else {
      preconditionFailure("Element type cannot have the shape")
    }
    return count
  }
}

/// Named tensors, wherever they come from: the waist of Flare.
///
/// A safetensors directory, a bundle, a base with adapters merged into it and a quantized view of
/// any of these all conform. What runs a model and what writes a file see only this protocol, so a
/// merge that is run and a merge that is saved are the same numbers by construction.
public protocol TensorSource: Sendable {
  /// Every tensor, in an order that is the same each time.
  var tensorInfos: [TensorInfo] { get }

  /// What is known about one tensor, or nil when there is none of that name.
  func info(named name: String) -> TensorInfo?

  /// The tensor of that name, computed when the source is a view.
  ///
  /// - Throws: a `FlareError` when there is none of that name or a view cannot make it.
  func tensor(named name: String) throws(TensorSourceError) -> Tensor

  /// A range of rows of a tensor, in memory of its own: a piece of a conversion, which so needs little
  /// memory whatever the model.
  ///
  /// The bits are those that the whole tensor has there. A view computes the rows alone where it can.
  ///
  /// - Parameter rows: rows of a matrix, or 0..<1 for all of anything else; begins at a multiple of
  ///   `rowMultiple(of:)` and ends at one or with the last row.
  /// - Throws: a `TensorSourceError` as `tensor(named:)`, and when a file cannot be read.
  func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor

  /// What the first row of a range has to be a multiple of; all rows when they depend on each other.
  func rowMultiple(of name: String) -> Int

  /// Asks the system to have the bytes behind these rows at hand soon.
  func prefetch(_ rows: Range<Int>, of name: String)
}

extension TensorSource {
  public func rows(_ rows: Range<Int>, of name: String) throws(TensorSourceError) -> Tensor {
    let tensor = try tensor(named: name).rows(rows)
    do {
      return try tensor.loaded()
    } catch {
      throw TensorSourceError(error)
    }
  }

  public func rowMultiple(of name: String) -> Int { info(named: name)?.rowMultiple ?? 1 }

  public func prefetch(_ rows: Range<Int>, of name: String) {}
}

/// Why a source has no tensor to give.
public struct TensorSourceError: FlareError {
  public let description: String
  /// The failure of a file, when that is the reason.
  public let cause: FileError?
  public var kind: FailureKind { cause?.kind ?? .badInput }

  public init(_ description: String) {
    self.description = description
    cause = nil
  }

  public init(_ cause: FileError) {
    description = cause.description
    self.cause = cause
  }

  /// The error for a name that is not in `source`, with the nearest name that is.
  public init(missing name: String, in source: some TensorSource) {
    self.init(missing: name, among: source.tensorInfos.map(\.name))
  }

  /// The error for a name that is not among `names`, with the nearest one that is.
  public init(missing name: String, among names: [String]) {
    let nearest = names.max { commonAffixLength($0, name) < commonAffixLength($1, name) }
    let hint = nearest.map { ", nearest '\($0)'" } ?? ""
    self.init("'\(name)' not found; the source has \(names.count) tensors\(hint)")
  }
}

/// Characters that two names share at their start and at their end.
private func commonAffixLength(_ a: String, _ b: String) -> Int {
  zip(a, b).prefix { $0 == $1 }.count + zip(a.reversed(), b.reversed()).prefix { $0 == $1 }.count
}
