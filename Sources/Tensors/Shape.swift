/// The extent of a tensor along each axis, outermost first; `[]` is a scalar.
public struct Shape: Sendable, Hashable, ExpressibleByArrayLiteral, CustomStringConvertible {
  public let extents: [Int]

  /// - Precondition: no extent is negative.
  public init(_ extents: [Int]) {
    precondition(extents.allSatisfy { $0 >= 0 }, "Negative extent")
    self.extents = extents
  }

  public init(arrayLiteral extents: Int...) { self.init(extents) }

  public var rank: Int { extents.count }

  public subscript(axis: Int) -> Int { extents[axis] }

  /// The product of the extents, or nil when it does not fit an integer.
  public var checkedElementCount: Int? {
    // A zero anywhere makes the product zero even when the others would overflow.
    if extents.contains(0) { return 0 }
    var count = 1
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      count = product
    }
    return count
  }

  /// The product of the extents.
  ///
  /// - Precondition: the product fits an integer, which every reader has checked.
  public var elementCount: Int {
    guard let count = checkedElementCount else { preconditionFailure("Shape too large") }
    return count
  }

  public var description: String {
    "[" + extents.map { "\($0)" }.joined(separator: ", ") + "]"
  }
}
