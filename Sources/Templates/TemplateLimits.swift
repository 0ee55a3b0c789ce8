/// What a template may take.
///
/// Templates come with checkpoints from anywhere. They see nothing but the values that they are
/// given, and these bounds keep them from taking the machine.
public struct TemplateLimits: Sendable, Hashable {
  /// Expressions and statements that are evaluated, and 64 code points of text or 64 values moved
  /// count as one: some seconds at most.
  public var stepCount = 5_000_000
  /// Code points of the rendered text, and code points and values of any value on the way to it.
  public var textLength = 8_000_000
  /// Numbers that `range` gives at most, as in jinja2's sandbox.
  public var rangeLength = 100_000
  /// Expressions, blocks and calls inside each other, which take the thread's stack.
  public var depth = 200
  /// Lists and objects inside each other.
  public var valueDepth = 100

  public init() {}
}
