import Adapters

/// The ledger of a merge with equal lines of different layers drawn together.
struct LedgerText {
  let text: String

  /// Lines that differ only in the number of their layer are one row.
  private struct Row: Hashable {
    let adapter: String
    let module: String
    let disposition: MergePlan.Disposition
    let reason: String
  }

  /// What is known of the lines of one row.
  private struct Lines {
    var count = 0
    var tensorCount = 0
    /// `‖ΔW‖ / ‖W‖` of each line that has one.
    var changes: [Double] = []
  }

  /// - Parameter measurements: of a merge that has run; nil for a plan.
  init(_ ledger: [MergePlan.Entry], _ measurements: MergeMeasurements? = nil) {
    var rows: [Row: Lines] = [:]
    var order: [Row] = []
    for entry in ledger {
      let row = Row(
        adapter: entry.adapter, module: Self.shortName(of: entry.module),
        disposition: entry.disposition, reason: entry.reason)
      if rows[row] == nil { order.append(row) }
      rows[row, default: Lines()].count += 1
      rows[row]?.tensorCount += entry.tensorCount
      if let change = measurements?.change(of: entry), change.isFinite {
        rows[row]?.changes.append(change)
      }
    }
    guard !order.isEmpty else {
      text = ""
      return
    }
    let outcome = measurements == nil ? "in a merge" : "what became of it"
    var header = ["adapter", "module", "count", "tensors", outcome, "why"]
    if measurements != nil { header.append("‖ΔW‖/‖W‖") }
    var table = TextTable(header: header)
    for row in order {
      let lines = rows[row] ?? Lines()
      var cells = [
        row.adapter, row.module, "\(lines.count)", "\(lines.tensorCount)",
        row.disposition.rawValue, row.reason,
      ]
      if measurements != nil { cells.append(Self.rangeText(lines.changes)) }
      table.add(cells)
    }
    text = table.text
  }

  /// What is behind the layer's number: `self_attn.q_proj` is `q_proj`, tensors keep their part.
  private static func shortName(of module: String) -> String {
    let parts = module.split(separator: ".")
    let isTensor = ["weight", "bias"].contains(parts.last)
    return parts.suffix(isTensor ? 2 : 1).joined(separator: ".")
  }

  /// The smallest and the largest change, in per cent.
  private static func rangeText(_ changes: [Double]) -> String {
    guard let smallest = changes.min(), let largest = changes.max() else { return "" }
    let (low, high) = (percentText(smallest), percentText(largest))
    return low == high ? "\(low) %" : "\(low) to \(high) %"
  }

  private static func percentText(_ share: Double) -> String {
    share * 100 < 1 ? decimalText(share * 100, 3) : decimalText(share * 100, 1)
  }
}
