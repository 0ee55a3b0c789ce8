extension Value {
  /// What Python's `str` gives, which is what `{{ }}` prints.
  var printed: Text {
    switch self {
    case .undefined: ""
    case .string(let text): text
    case .namespace(let namespace): "<Namespace " + namespace.attributes.represented + ">"
    default: represented
    }
  }

  /// What Python's `repr` gives, which is how values appear inside lists and dictionaries.
  var represented: Text {
    switch self {
    case .undefined: "Undefined"
    case .none: "None"
    case .boolean(let value): value ? "True" : "False"
    case .integer(let value): Text("\(value)")
    case .float(let value): Text(pythonText(of: value))
    case .string(let text): text.represented
    case .sequence(let items): items.represented
    case .dictionary(let table): table.represented
    case .iterator: "<generator object>"
    // Without its attributes, among which it may be itself.
    case .namespace: "<Namespace>"
    case .loop(let loop): Text("<LoopContext \(loop.index0 + 1)>")
    case .callable(let callable): Text("<\(callable.name)>")
    }
  }
}

extension Items {
  fileprivate var represented: Text {
    let list = elements.map(\.represented).joined(by: ", ")
    return switch kind {
    case .list: "[" + list + "]"
    case .tuple: "(" + list + (elements.count == 1 ? ",)" : ")")
    case .keys: "dict_keys([" + list + "])"
    case .values: "dict_values([" + list + "])"
    case .items: "dict_items([" + list + "])"
    case .range(let start, let stop, let step):
      Text("range(\(start), \(stop)" + (step == 1 ? ")" : ", \(step))"))
    }
  }
}

extension Table {
  fileprivate var represented: Text {
    "{" + pairs.map { $0.key.represented + ": " + $0.value.represented }.joined(by: ", ") + "}"
  }
}

extension Text {
  /// The text as a Python literal.
  var represented: Text {
    let quote: Unicode.Scalar =
      contains("'" as Unicode.Scalar) && !contains("\"" as Unicode.Scalar) ? "\"" : "'"
    var result = Text([quote])
    for scalar in scalars {
      switch scalar {
      case quote, "\\": result += Text(["\\", scalar])
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default: result += scalar.isPythonPrintable ? Text([scalar]) : Text(scalar.escaped)
      }
    }
    return result + Text([quote])
  }
}

extension Unicode.Scalar {
  fileprivate var isPythonPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    case .spaceSeparator: self == " "
    default: true
    }
  }

  /// `\xe9`, `\u20ac` or `\U0001f600`.
  var escaped: String {
    let digits = String(value, radix: 16)
    let (letter, width) = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
    return "\\" + letter + String(repeating: "0", count: width - digits.count) + digits
  }
}
