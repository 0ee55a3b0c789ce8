/// A number of bytes as people say it: `1.24 GB`.
func byteText(_ count: Int) -> String {
  let units = ["bytes", "kB", "MB", "GB", "TB"]
  var value = Double(count)
  var unit = 0
  while value >= 1000 && unit < units.count - 1 {
    value /= 1000
    unit += 1
  }
  return unit == 0 ? "\(count) bytes" : "\(decimalText(value, value < 10 ? 2 : 1)) \(units[unit])"
}

/// A duration as people say it: `35 ms`, `12 s`, `3 min 5 s`.
func durationText(_ seconds: Double) -> String {
  guard seconds >= 1 else { return "\(Int((seconds * 1000).rounded())) ms" }
  guard seconds >= 60 else { return "\(decimalText(seconds, seconds < 10 ? 1 : 0)) s" }
  return "\(Int(seconds) / 60) min \(Int(seconds) % 60) s"
}

/// A number with a fixed count of decimals, without Foundation's formatters.
func decimalText(_ value: Double, _ decimals: Int) -> String {
  // Beyond this a number has no decimals, and no integer holds its digits.
  guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
  var factor = 1.0
  for _ in 0..<decimals { factor *= 10 }
  let scaled = Int((value * factor).rounded())
  guard decimals > 0 else { return "\(scaled)" }
  let digits = String(abs(scaled) % Int(factor))
  let padding = String(repeating: "0", count: decimals - digits.count)
  let sign = scaled < 0 ? "-" : ""
  return "\(sign)\(abs(scaled) / Int(factor)).\(padding)\(digits)"
}

/// A number of any size as people write it: `12.3`, `0.045`, `2.3e-5`.
func scientificText(_ value: Double) -> String {
  guard value != 0, value.isFinite else { return "\(value)" }
  if 0.01..<10_000 ~= value.magnitude { return decimalText(value, value.magnitude < 1 ? 3 : 1) }
  var exponent = 0
  var digits = value.magnitude
  // Rounded to a tenth, 9.95 is ten already.
  while digits >= 9.95 { (digits, exponent) = (digits / 10, exponent + 1) }
  while digits < 0.995 { (digits, exponent) = (digits * 10, exponent - 1) }
  return "\(value < 0 ? "-" : "")\(decimalText(digits, 1))e\(exponent)"
}

/// Thousands apart, for counts that are read by people: `1 204 224`.
func groupedText(_ number: Int) -> String {
  let digits = String(number)
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0 && (digits.count - index) % 3 == 0 { result += " " }
    result.append(digit)
  }
  return result
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

/// The text with control characters spelled out, since names in a file can hold anything.
func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    if scalar.properties.generalCategory == .control {
      result += "\\u{\(String(scalar.value, radix: 16))}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Rows of cells under a header, each column as wide as its widest cell.
struct TextTable {
  private var rows: [[String]]
  private let labelCount: Int

  /// - Parameter labelCount: how many columns are text; those behind them hold numbers, which end
  ///   below each other. nil for text alone.
  init(header: [String], labelCount: Int? = nil) {
    rows = [header]
    self.labelCount = labelCount ?? header.count
  }

  mutating func add(_ cells: [String]) { rows.append(cells.map(printable)) }

  /// The table, indented by two spaces, with a rule under the header.
  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      let cells = zip(row, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column < labelCount ? cell.0 + padding : padding + cell.0
      }
      return "  " + trimmed(cells.joined(separator: "  "))
    }
    let rule = "  " + widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n") + "\n"
  }

  private func trimmed(_ line: String) -> String {
    String(line.reversed().drop { $0 == " " }.reversed())
  }
}

/// Labels and values below one another, for what is said once.
func fieldsText(_ fields: [(label: String, value: String)]) -> String {
  let width = fields.map(\.label.count).max() ?? 0
  return fields.map { label, value in
    "  " + label + String(repeating: " ", count: width - label.count) + "  " + printable(value)
      + "\n"
  }.joined()
}
