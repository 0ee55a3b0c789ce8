/// A part of a template that has a value.
struct Expression: Sendable {
  indirect enum Kind: Sendable {
    case literal(Literal)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case dictionary([(key: Expression, value: Expression)])
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(Expression, start: Expression?, stop: Expression?, step: Expression?)
    case call(Expression, CallArguments)
    /// Without a value for the filters of a `filter` or `set` block, which take its text.
    case filter(Expression?, String, CallArguments)
    case test(Expression, String, CallArguments)
    case not(Expression)
    case negative(Expression)
    case positive(Expression)
    case binary(ArithmeticOperator, Expression, Expression)
    case concatenation([Expression])
    case comparison(Expression, [(operation: ComparisonOperator, operand: Expression)])
    case and(Expression, Expression)
    case or(Expression, Expression)
    case conditional(test: Expression, then: Expression, otherwise: Expression?)
  }

  let kind: Kind
  let position: TemplatePosition
}

enum Literal: Sendable {
  case none
  case boolean(Bool)
  case integer(Int)
  case float(Double)
  case string(Text)
}

enum ArithmeticOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case floorDivide = "//"
  case remainder = "%"
  case power = "**"
}

enum ComparisonOperator: String, Sendable {
  case equal = "=="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// What stands in the parentheses of a call.
struct CallArguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  /// What is given as `*values` and `**values`.
  var positionalRest: Expression?
  var namedRest: Expression?
}
