import Adapters
import Benchmarks
import JSON
import Kernels
import Models
import Tensors

/// What `bench` prints.
struct BenchmarkReport {
  let subject: BenchmarkSubject
  let machine: Machine
  let limits: HardwareLimits
  let memory: ContextMemory?
  let results: [BenchmarkResult]

  private static let header = [
    "test", "tok/s", "±", "GMAC/s", "of peak", "GB/s", "of bandwidth",
  ]

  var text: String {
    var table = TextTable(header: Self.header, labelCount: 1)
    for result in results { table.add(cells(of: result)) }
    return fieldsText(fields) + "\n" + table.text + "\n" + fieldsText(limitFields)
  }

  var markdown: String {
    let rows = [Self.header] + results.map(cells)
    let lines = rows.map { "| " + $0.map(printable).joined(separator: " | ") + " |" }
    let rule = "| --- |" + String(repeating: " ---: |", count: Self.header.count - 1)
    let notes = (fields + limitFields).map { "\($0.label): \(printable($0.value))" }
    return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n") + "\n\n"
      + notes.joined(separator: "  \n") + "\n"
  }

  private func cells(of result: BenchmarkResult) -> [String] {
    func number(_ value: Double?, _ decimals: Int = 1) -> String {
      value.map { decimalText($0, decimals) } ?? ""
    }
    func share(_ value: Double?) -> String { value.map { decimalText(100 * $0, 0) + " %" } ?? "" }
    return [
      result.test.name, number(result.tokensPerSecond, 2), number(result.deviation, 2),
      number(result.byteRate == nil ? result.productRate / 1e9 : nil), share(peakShare(of: result)),
      number(result.byteRate.map { $0 / 1e9 }), share(bandwidthShare(of: result)),
    ]
  }

  /// The share of the products that the machine can make; nil for a decode, which reading limits,
  /// and for float weights, which are multiplied otherwise.
  private func peakShare(of result: BenchmarkResult) -> Double? {
    guard result.byteRate == nil else { return nil }
    return limits.rate(for: subject.work.linearType).map { result.productRate / $0 }
  }

  private func bandwidthShare(of result: BenchmarkResult) -> Double? {
    result.byteRate.map { $0 / limits.readBandwidth }
  }
}

// MARK: What is said once

extension BenchmarkReport {
  private var configuration: ModelConfiguration { subject.model.configuration }

  private var adapterNames: [String] { subject.model.adapters.members.map(\.adapter.name) }

  private var fields: [(label: String, value: String)] {
    let count = Double(subject.work.parameterCount)
    let parameters =
      count < 1e9 ? "\(decimalText(count / 1e6, 2)) M" : "\(decimalText(count / 1e9, 2)) B"
    var fields = [
      (
        "model",
        "\(subject.name), \(subject.work.linearType), \(parameters) parameters, "
          + "\(byteText(subject.work.weightByteCount)) read for a token"
      ),
      (
        "machine",
        "\(machine.processorName ?? "unknown processor"), \(machine.instructionSet.rawValue), "
          + "\(machine.threadCount) of \(machine.processorCount) threads"
      ),
    ]
    let adapters = adapterNames.joined(separator: ", ")
    if !adapters.isEmpty { fields.insert(("adapters", adapters), at: 1) }
    return fields
  }

  private var limitFields: [(label: String, value: String)] {
    func rate(_ value: Double, _ unit: String) -> String {
      "\(decimalText(value / 1e9, 1)) \(unit)"
    }
    var fields = [
      ("read bandwidth", rate(limits.readBandwidth, "GB/s")),
      ("int8 peak", rate(limits.int8Rate, "GMAC/s")),
    ]
    if let narrow = limits.narrowRate {
      fields.append(("int4 peak", rate(narrow, "GMAC/s, with 16-bit sums")))
    }
    if let memory {
      fields.append(
        (
          "context",
          "\(memory.context) tokens: \(byteText(memory.keyValueByteCount)) of keys and values + "
            + "\(byteText(memory.workspaceByteCount)) of workspace = "
            + "\(byteText(memory.predictedByteCount)); the process grew by "
            + (memory.growth.map(byteText) ?? "an unknown amount")
        ))
      fields.append(("last token", durationText(memory.seconds)))
    }
    guard let opening = subject.opening else { return fields }
    fields += [
      ("open", durationText(opening.seconds)),
      (
        "first token",
        "\(durationText(opening.firstTokenSeconds)) from the path, "
          + "behind \(opening.promptCount) tokens"
          + (computeRatio.map { "; \(decimalText($0, 2)) times a warm prefill" } ?? "")
      ),
    ]
    return fields
  }

  /// How many times the warm prefill of the same prompt the first token took.
  private var computeRatio: Double? {
    guard let opening = subject.opening,
      let prefill = results.first(where: {
        $0.test == BenchmarkTest(.prefill, opening.promptCount)
      })
    else { return nil }
    return opening.firstTokenSeconds * prefill.tokensPerSecond / Double(opening.promptCount)
  }
}

// MARK: JSON

extension BenchmarkReport {
  var json: JSONValue {
    var json = JSONObject([
      ("results", .array(results.map(json))), ("machine", machine.json), ("limits", limits.json),
      ("model", modelJSON),
    ])
    if let opening = subject.opening {
      _ = json.updateValue(self.json(of: opening), forKey: "open")
    }
    if let memory { _ = json.updateValue(memory.json, forKey: "context") }
    return .object(json)
  }

  private func json(of result: BenchmarkResult) -> JSONValue {
    [
      "test": .string(result.test.name), "tokens": .integer(result.test.count),
      "texts": .integer(result.test.textCount), "depth": .integer(result.test.depth),
      "tokens_per_second": .number(result.tokensPerSecond),
      "deviation": .number(result.deviation),
      "seconds": .array(result.seconds.map { .number($0) }),
      "gmac_per_second": .number(result.productRate / 1e9),
      "peak_share": JSONValue(peakShare(of: result)),
      "gb_per_second": JSONValue(result.byteRate.map { $0 / 1e9 }),
      "bandwidth_share": JSONValue(bandwidthShare(of: result)),
    ]
  }

  private var modelJSON: JSONValue {
    [
      "name": .string(subject.name), "type": .string(subject.work.linearType.rawValue),
      "parameters": .integer(subject.work.parameterCount),
      "bytes_per_token": .integer(subject.work.weightByteCount),
      "adapters": .array(adapterNames.map { .string($0) }),
      "configuration": subject.configuration,
    ]
  }

  private func json(of opening: BenchmarkSubject.Opening) -> JSONValue {
    [
      "seconds": .number(opening.seconds),
      "seconds_to_first_token": .number(opening.firstTokenSeconds),
      "prompt_tokens": .integer(opening.promptCount),
      "first_token_over_prefill": JSONValue(computeRatio),
    ]
  }
}

extension ContextMemory {
  fileprivate var json: JSONValue {
    [
      "tokens": .integer(context), "key_value_bytes": .integer(keyValueByteCount),
      "workspace_bytes": .integer(workspaceByteCount),
      "process_growth_bytes": growth.map { .integer($0) } ?? .null,
      "seconds_of_last_token": .number(seconds),
    ]
  }
}

extension Machine {
  fileprivate var json: JSONValue {
    [
      "processor": processorName.map { .string($0) } ?? .null,
      "processors": .integer(processorCount), "threads": .integer(threadCount),
      "instruction_set": .string(instructionSet.rawValue),
    ]
  }
}

extension HardwareLimits {
  fileprivate var json: JSONValue {
    [
      "read_gb_per_second": .number(readBandwidth / 1e9),
      "int8_gmac_per_second": .number(int8Rate / 1e9),
      "int8_narrow_gmac_per_second": JSONValue(narrowRate.map { $0 / 1e9 }),
    ]
  }
}

extension JSONValue {
  /// A number, or null for nil.
  fileprivate init(_ number: Double?) { self = number.map { .number($0) } ?? .null }
}
