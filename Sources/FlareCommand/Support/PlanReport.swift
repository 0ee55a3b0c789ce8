import Conversion
import JSON
import Tensors

/// What a conversion will do, for people.
struct PlanReport {
  let plan: ConversionPlan

  var text: String {
    var table = TextTable(
      header: ["tensor", "from", "to", "why", "shape", "bytes"], labelCount: 4)
    for line in plan.lines {
      table.add([
        line.tensor.name, line.sourceType.rawValue, line.tensor.elementType.rawValue,
        line.reason + (line.isMerged ? "; merged" : ""), "\(line.tensor.shape)",
        groupedText(line.tensor.byteCount),
      ])
    }
    let free = plan.freeByteCount.map { ", \(byteText($0)) free" } ?? ""
    var fields = [
      ("weights", TypeSummary(plan.lines.map(\.tensor)).text),
      ("disk", "\(byteText(plan.diskByteCount))\(free)"),
      ("memory", "\(byteText(plan.memoryByteCount)) for blocks and adapters at a time"),
      ("time", "about \(durationText(plan.estimatedSeconds)) of computing; devices not counted"),
    ]
    if plan.files.count > 1 {
      fields.insert(
        (
          "files",
          "\(plan.files.count), from \(plan.files[0].name), the largest "
            + byteText(plan.files.map(\.byteCount).max() ?? 0)
        ), at: 1)
    }
    return table.text + "\n" + fieldsText(fields)
  }
}
