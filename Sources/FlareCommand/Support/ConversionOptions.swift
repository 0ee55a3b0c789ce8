import ArgumentParser
import Conversion
import JSON
import Kernels
import Quantization
import SystemPackage
import Tensors

/// Options of the commands that write a model.
struct ConversionOptions: ParsableArguments {
  @Option(help: "Write float weights as f32, f16 or bf16 (default: as they are).")
  var dtype: FloatTypeArgument?

  @Flag(help: "Replace the model that is at the destination.")
  var overwrite = false

  @Flag(help: "Print the report as JSON.")
  var json = false
}

enum FloatTypeArgument: String, ExpressibleByArgument, CaseIterable {
  case f32, f16, bf16

  var elementType: ElementType {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    }
  }
}

/// What `--quantize` names: a scheme of bundles or a preset of GGUF files.
enum QuantizationArgument: ExpressibleByArgument {
  case scheme(QuantizationScheme)
  case preset(GGUFPreset)

  private static let schemes: KeyValuePairs = ["int8": QuantizationScheme.int8, "int4": .int4]

  init?(argument: String) {
    if let scheme = Self.schemes.first(where: { $0.key == argument })?.value {
      self = .scheme(scheme)
    } else if let preset = GGUFPreset(named: argument) {
      self = .preset(preset)
    } else {
      return nil
    }
  }

  static var allValueStrings: [String] {
    schemes.map(\.key) + GGUFPreset.allCases.map { $0.rawValue.lowercased() }
  }

  var scheme: QuantizationScheme? { if case .scheme(let scheme) = self { scheme } else { nil } }

  var preset: GGUFPreset? { if case .preset(let preset) = self { preset } else { nil } }
}

extension ParsableCommand {
  /// Runs a conversion with progress and prints its report, or prints its plan.
  ///
  /// - Parameter verifies: whether the result is compared with the base and its adapters.
  func run(
    _ request: ConversionRequest, _ arguments: OutputArguments, with kernels: Kernels, json: Bool,
    verifies: Bool = false
  ) throws {
    let start = ContinuousClock.now
    var request = request
    try arguments.apply(to: &request)
    request.model.warn()
    let conversion = try Conversion(request, with: kernels)
    for note in conversion.notes { standardError.write("flare: \(note)\n") }
    if arguments.plan {
      let plan = try ConversionPlan(conversion)
      if json { writeJSON(plan.json) } else { standardOutput.write(PlanReport(plan: plan).text) }
      return
    }
    try conversion.check()
    let progress = ConversionProgress(arguments.progress, total: conversion.byteCount)
    try progress.during { try conversion.run { progress.advance($0) } }
    let seconds = (ContinuousClock.now - start).seconds
    let verification =
      try verifies
      ? MergeVerification(of: conversion, at: request.destination, with: kernels) : nil
    let report = ConversionReport(conversion, verification, seconds: seconds)
    if json { writeJSON(report.json) } else { standardOutput.write(report.text) }
    try verification?.check(request.destination)
  }
}
