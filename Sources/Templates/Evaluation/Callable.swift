/// What can be called.
indirect enum Callable {
  case global(Global)
  /// A method, with the value that it is a method of.
  case method(String, of: Value)
  case macro(Macro)

  var name: String {
    switch self {
    case .global(let global): "function \(global.rawValue)"
    case .method(let name, _): "method \(name)"
    case .macro(let macro): "macro \(macro.definition.name)"
    }
  }
}

/// A macro with the names that it sees where it was defined.
final class Macro {
  let definition: MacroDefinition
  let scope: Scope

  init(_ definition: MacroDefinition, in scope: Scope) {
    self.definition = definition
    self.scope = scope
  }
}
