/// A part of a template that writes, branches or names something.
struct Statement: Sendable {
  indirect enum Kind: Sendable {
    case text(Text)
    case output(Expression)
    case condition([(test: Expression, body: [Statement])], otherwise: [Statement])
    case loop(LoopStatement)
    case breakLoop
    case continueLoop
    case set(Target, Expression)
    /// The text of a block, through filters.
    case setBlock(Target, filter: Expression?, body: [Statement])
    case filterBlock(Expression, body: [Statement])
    case with([(Target, Expression)], body: [Statement])
    case macro(MacroDefinition)
    /// `{% call(arguments) macro() %}`, of which the macro sees the body as `caller`.
    case call(Expression, caller: MacroDefinition)
  }

  let kind: Kind
  let position: TemplatePosition
}

struct LoopStatement: Sendable {
  let target: Target
  let sequence: Expression
  let filter: Expression?
  let isRecursive: Bool
  let body: [Statement]
  let otherwise: [Statement]
}

/// What a value is given to.
indirect enum Target: Sendable {
  case name(String)
  case attribute(namespace: String, String)
  case tuple([Target])
}

struct MacroDefinition: Sendable {
  let name: String
  let parameters: [(name: String, standard: Expression?)]
  let body: [Statement]
  /// Which of `caller`, `varargs` and `kwargs` the body reads; only these may be given.
  let extras: Set<String>
}
