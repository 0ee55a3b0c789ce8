/// The names that a block of a template sees: its own, then those of the block around it.
final class Scope {
  private let parent: Scope?
  private var values: [String: Value]

  init(in parent: Scope?, _ values: [String: Value] = [:]) {
    self.parent = parent
    self.values = values
  }

  /// The value of a name, in this block or around it.
  subscript(name: String) -> Value? {
    var scope: Scope? = self
    while let current = scope {
      if let value = current.values[name] { return value }
      scope = current.parent
    }
    return nil
  }

  func set(_ name: String, to value: Value) { values[name] = value }

  /// Ends the cycle of a macro and the block that it sees and that holds it.
  func removeAll() { values = [:] }
}
