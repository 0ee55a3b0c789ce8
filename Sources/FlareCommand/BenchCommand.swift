import Adapters
import ArgumentParser
import Benchmarks
import Bundles
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how fast a model runs, and what the machine would allow.",
    discussion: """
      A test is a prefill (pp256: 256 tokens together), a decode (tg32: 32 tokens one by one), or \
      either behind a text of some depth (tg32@4096), whose keys and values are random. Each runs \
      once to warm up and then several times. The read bandwidth and the int8 peak are measured \
      between the tests, with the same threads; the best is kept. A signature that is required is \
      checked, with every byte of the weights, while the model is opened.

      EXAMPLE:
        flare bench model.flare -p 256 -n 32 -d 4096
        flare bench --shape llama-3.2-1b --quantize int4 -t 2
      """)

  @Argument(help: .model, completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath?

  @Option(
    help: ArgumentHelp(
      "Random weights in the shape of \(ModelShape.all.map(\.name).joined(separator: ", ")).",
      valueName: "name"))
  var shape: String?

  @Option(
    help:
      "Type of the weights (default: a model's own; int4 for a shape). none: as bf16, or as they are."
  )
  var quantize: WeightTypeArgument?

  @Option(
    name: [.customShort("p"), .long], help: "Tokens of a prefill; several with commas between.")
  var prefill = CountList([256])

  @Option(
    name: [.customShort("n"), .long], help: "Tokens of a decode; several with commas between.")
  var decode = CountList([32])

  @Option(
    name: [.customShort("d"), .long],
    help: "Test behind this many positions too; several with commas between.")
  var depth = CountList([])

  @Option(help: "Decode this many texts side by side too; several with commas between.")
  var batch = CountList([])

  @Option(name: .shortAndLong, help: "How often each test is timed.")
  var repeats = 3

  @OptionGroup var adapters: AdapterOptions

  @Option(help: "Add a random LoRA of this rank to every linear layer.")
  var rank: Int?

  @Option(
    help: ArgumentHelp(
      "Read a random source of this many tokens, with a random add_relu adapter (of rank 16, or as "
        + "--rank says) unless the model has a FLARE adapter.", valueName: "tokens"))
  var source: Int?

  @Option(
    help: ArgumentHelp(
      "Compare the memory of a session of this many tokens with what the process takes.",
      valueName: "tokens"))
  var context: Int?

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Print a Markdown table.")
  var markdown = false

  @OptionGroup var signature: SignatureOptions
  @OptionGroup var keyValues: KeyValueOptions
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    try checkCounts()
    let kernels = try compute.kernels()
    let subject = try subject(with: kernels)
    try check(
      tests + (context.map { [BenchmarkTest(.decode, 1, depth: $0 - 1)] } ?? []),
      on: subject.model)
    var meter = LimitMeter(with: kernels)
    var benchmark = Benchmark(
      subject.model, subject.work, sourceCount: source, keyValueType: keyValues.kvType ?? .float16)
    let memory = try context.map { try benchmark.memory(ofContext: $0) }
    var results: [BenchmarkResult] = []
    let status = StatusLine()
    for test in tests {
      status.show("\(test.name): limits of the machine")
      meter.measure()
      results.append(
        try benchmark.run(test, repeats: repeats) { run in
          status.show("\(test.name): " + (run == 0 ? "warm-up" : "run \(run) of \(repeats)"))
        })
    }
    meter.measure()
    status.clear()
    let report = BenchmarkReport(
      subject: subject, machine: Machine(kernels), limits: meter.limits, memory: memory,
      results: results)
    if json {
      writeJSON(report.json)
    } else {
      standardOutput.write(markdown ? report.markdown : report.text)
    }
  }

  private var tests: [BenchmarkTest] {
    BenchmarkTest.all(
      prefill: prefill.counts, decode: decode.counts, depths: [0] + depth.counts,
      sourceCount: source, batches: batch.counts)
  }

  /// Opens or makes what is measured.
  private func subject(with kernels: Kernels) throws -> BenchmarkSubject {
    let scheme = (quantize ?? (model == nil ? .int4 : WeightTypeArgument.none)).scheme
    if let model {
      return try BenchmarkSubject(
        scheme, promptCount: prefill.counts[0], adapters: members, with: kernels
      ) {
        let files = try ModelFiles(argument: model, requiring: try signature.keys())
        try files.bundle?.pieces?.checkAll()
        return files
      }
    }
    guard let shape else {
      throw ValidationError("there is no model to measure. Give a MODEL, or '--shape'")
    }
    guard signature.requireSignature.isEmpty || !adapters.adapters.isEmpty else {
      throw ValidationError(
        "'--require-signature' is for a MODEL or an adapter, and random weights have none")
    }
    guard let shape = ModelShape(named: shape) else {
      let known = ModelShape.all.map { "'\($0.name)'" }.joined(separator: ", ")
      throw ValidationError("no shape is called '\(shape)', expected one of \(known)")
    }
    return try BenchmarkSubject(shape, scheme, adapters: members, with: kernels)
  }

  /// The adapters that were asked for: those in files, then the random ones.
  private func members(
    _ configuration: ModelConfiguration, _ kernels: Kernels
  ) throws -> [AdapterStack.Member] {
    var members = try adapters.read(
      for: configuration.adapterBase, requiring: try signature.keys(), with: kernels)
    let fusion: FusionFunction? =
      source != nil && !members.contains { $0.adapter.fusion != nil } ? .addRelu : nil
    if rank != nil || fusion != nil {
      members.append(
        RandomModel.adapter(of: configuration, rank: rank ?? 16, fusion: fusion))
    }
    return members
  }
}

extension BenchCommand {
  /// - Throws: `ValidationError` for options that contradict each other and counts that are none.
  private func checkCounts() throws {
    guard model == nil || shape == nil else {
      throw ValidationError("a MODEL and '--shape' are given, expected one of them")
    }
    guard !json || !markdown else {
      throw ValidationError("'--json' and '--markdown' are given, expected one of them")
    }
    let counts: [(String, [Int], ClosedRange<Int>)] = [
      ("prefill", prefill.counts, 1...Self.maximumCount),
      ("decode", decode.counts, 1...Self.maximumCount),
      ("depth", depth.counts, 1...Self.maximumCount),
      ("batch", batch.counts, 2...1024), ("repeats", [repeats], 1...1000),
      ("rank", [rank ?? 1], 1...4096),
      ("source", [source ?? 1], 1...Self.maximumCount),
      ("context", [context ?? 1], 1...Self.maximumCount),
    ]
    for (option, values, range) in counts {
      guard let value = values.first(where: { !range.contains($0) }) else { continue }
      throw ValidationError(
        "'--\(option)' is \(value), expected \(range.lowerBound) to \(range.upperBound)")
    }
  }

  private static let maximumCount = 1 << 20

  /// - Throws: `ValidationError` for a test that needs more positions than the model has.
  private func check(_ tests: [BenchmarkTest], on model: LanguageModel) throws {
    let limit = model.configuration.maximumPositionCount
    guard let test = tests.first(where: { $0.depth + $0.count > limit }) else { return }
    throw ValidationError(
      "\(test.name) needs \(test.depth + test.count) positions and the model has \(limit)")
  }
}

enum WeightTypeArgument: String, ExpressibleByArgument, CaseIterable {
  case int8, int4, none

  var scheme: QuantizationScheme? {
    switch self {
    case .int8: .int8
    case .int4: .int4
    case .none: nil
    }
  }
}

/// Counts on the command line: `0,4096`.
struct CountList: ExpressibleByArgument {
  let counts: [Int]

  init(_ counts: [Int]) { self.counts = counts }

  init?(argument: String) {
    guard let list = TokenList(argument: argument) else { return nil }
    counts = list.tokens
  }

  var defaultValueDescription: String { counts.map(String.init).joined(separator: ",") }
}

/// A line on the terminal that says what is being done; none when standard error is a file.
struct StatusLine {
  func show(_ text: String) {
    if standardError.isTerminal { standardError.write("\r\u{1B}[K\(text)") }
  }

  func clear() { show("") }
}
