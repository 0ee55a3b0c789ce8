/// Text as Python sees it: a list of code points, equal when these are.
///
/// A Swift `String` is a list of characters that compares by canonical equivalence; indices,
/// lengths and comparisons in templates are all of code points.
struct Text: Sendable {
  var scalars: [Unicode.Scalar]
  /// Whether the text is HTML already, so that `+` escapes what is added to it.
  ///
  /// Only the filters `safe` and `escape` make such text.
  var isSafe = false

  init(_ scalars: some Sequence<Unicode.Scalar> = []) { self.scalars = Array(scalars) }

  init(_ string: String) { scalars = Array(string.unicodeScalars) }

  var string: String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  static func + (a: Text, b: Text) -> Text { Text(a.scalars + b.scalars) }

  static func += (a: inout Text, b: Text) { a.scalars += b.scalars }
}

extension Text: ExpressibleByStringLiteral {
  init(stringLiteral value: String) { self.init(value) }
}

extension Text: Hashable {
  static func == (a: Text, b: Text) -> Bool { a.scalars == b.scalars }
  func hash(into hasher: inout Hasher) { hasher.combine(scalars) }
}

extension Text {
  func markedSafe() -> Text {
    var text = self
    text.isSafe = true
    return text
  }

  /// The text as HTML, unless it is that already.
  var escaped: Text {
    guard !isSafe else { return self }
    let names: [Unicode.Scalar: Text] = [
      "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", "\"": "&#34;",
    ]
    return Text(scalars.flatMap { names[$0] ?? Text([$0]) }).markedSafe()
  }
}

extension Text: Comparable {
  static func < (a: Text, b: Text) -> Bool { a.scalars.lexicographicallyPrecedes(b.scalars) }
}

extension Text: RandomAccessCollection, RangeReplaceableCollection {
  init() { scalars = [] }
  var startIndex: Int { 0 }
  var endIndex: Int { scalars.count }
  subscript(position: Int) -> Unicode.Scalar { scalars[position] }

  subscript(range: Range<Int>) -> Text { Text(scalars[range]) }

  mutating func replaceSubrange(
    _ range: Range<Int>, with elements: some Collection<Unicode.Scalar>
  ) {
    scalars.replaceSubrange(range, with: elements)
  }
}
