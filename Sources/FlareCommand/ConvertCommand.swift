import Adapters
import ArgumentParser
import Bundles
import Conversion
import Files
import Models
import SystemPackage
import Tokenizers

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Merge, quantize and write a model in another form, in one pass.",
    discussion: """
      OUT is a GGUF file when it is named *.gguf, a bundle in one file when it is named *.flare, \
      else a bundle directory; --to hf writes a Hugging Face directory. Adapters are merged as far as that is exact; what must see the source text at run time \
      travels beside the weights.

      An adapter becomes one of another layout: PEFT's, MLX's with --to mlx, or GGUF when OUT is \
      named *.gguf. A pickled \
      checkpoint of FLARE's trainer becomes a folder with its base and its adapters.

      EXAMPLE:
        flare convert base --adapter task-lora --adapter flare-id --quantize int4 -o model.flare
        flare convert Llama-3.2-1B --quantize q4_k_m -o llama-q4_k_m.gguf
        flare convert llama-bf16.gguf --to hf -o llama
        flare convert big --quantize int4 -o big-int4 --resume
        flare convert base --quantize int4 --tensor-type v_proj=int8 -o b --plan
        flare convert lora --base base -o lora.gguf
        flare convert run/checkpoint-500 --base Llama-3.2-1B --lora-alpha 16 -o split
      """)

  @Argument(
    help: "A model, an adapter, a name in the store, or a pickled checkpoint of FLARE's trainer.",
    completion: .file(), transform: FilePath.pathOrName)
  var model: FilePath

  @Option(name: .shortAndLong, help: "Where to write.")
  var output: FilePath

  @Option(
    help:
      "The form to write: gguf, hf, bundle (a directory) or flare (one file); peft, mlx or gguf for adapters."
  )
  var to: FormArgument?

  @Option(
    help: """
      Quantize weights: int8 or int4 (groups of 32 along a row) for bundles, a preset of llama.cpp \
      (q8_0, q4_k_m, ...) or a float type for GGUF files.
      """)
  var quantize: QuantizationArgument?

  @Option(
    help: ArgumentHelp(
      "A text whose most likely next tokens are stored in a bundle directory, for 'flare verify "
        + "--numeric'; repeat it for several.", valueName: "text"))
  var probe: [String] = []

  @Option(help: "The source text of each --probe, in order, where a FLARE adapter reads one.")
  var probeSource: [String] = []

  @OptionGroup var adapters: AdapterOptions
  @OptionGroup var split: SplitOptions
  @OptionGroup var merging: MergingOptions
  @OptionGroup var options: ConversionOptions
  @OptionGroup var signature: SignatureOptions
  @OptionGroup var outputArguments: OutputArguments
  @OptionGroup var compute: ComputeOptions

  func run() throws {
    let kernels = try compute.kernels()
    // A trainer may leave an adapter's configuration beside its checkpoint.
    if TrainerConversion.isPickled(model) {
      try refuseModelOptions(
        for: "a trainer's checkpoint",
        and: ("--require-signature", !signature.requireSignature.isEmpty))
      try split.run(model, to: output, mayReplace: options.overwrite, with: kernels)
    } else if AdapterConversion.isAdapter(model) {
      try refuseModelOptions(for: "an adapter")
      try split.refuseCheckpointOptions(for: "an adapter")
      let conversion = try AdapterConversion(
        model, for: try split.base.map { try ModelFiles(argument: $0) }, to: output,
        form: try to.map { try $0.adapterForm }, requiring: try signature.keys(),
        mayReplace: options.overwrite, with: kernels)
      try conversion.run(with: kernels)
      standardOutput.write(
        "wrote \(output), \(conversion.adapter.updates.count) modules, "
          + "\(byteText(output.treeByteCount))\n")
    } else {
      try split.refuseCheckpointOptions(for: "a model")
      guard split.base == nil else {
        throw ValidationError("'--base' is for adapters and checkpoints, and a model is given")
      }
      let files = try signature.open(model)
      var request = ConversionRequest(
        model: files,
        adapters: try adapters.read(
          for: files, requiring: try signature.keys(), with: kernels),
        destination: output,
        form: try to.map { try $0.modelForm } ?? ConversionRequest.Form(destination: output),
        quantization: quantize?.scheme, preset: quantize?.preset,
        elementType: options.dtype?.elementType,
        isSourceFree: merging.noSource, mayReplace: options.overwrite, merging: merging.options)
      request.probes = try probes(files)
      try run(request, outputArguments, with: kernels, json: options.json)
    }
  }

  private func probes(_ files: ModelFiles) throws -> [NumericProbes.Question] {
    guard probeSource.isEmpty || probeSource.count == probe.count else {
      throw ValidationError("give one --probe-source for each --probe, or none")
    }
    if probe.isEmpty { return [] }
    guard let tokenizer = try files.tokenizer() else {
      throw ValidationError("'--probe' is text, and the model has no tokenizer")
    }
    return probe.indices.map { index in
      NumericProbes.Question(
        tokens: tokenizer.encode(probe[index].withLineBreaks),
        sourceTokens: probeSource.isEmpty
          ? nil : tokenizer.encode(probeSource[index].withLineBreaks))
    }
  }

  /// Refuses what would be ignored where no model is converted.
  private func refuseModelOptions(
    for what: String, and another: (name: String, isGiven: Bool) = ("", false)
  ) throws {
    let given =
      [
        ("--adapter", !adapters.adapters.isEmpty), ("--quantize", quantize != nil),
        ("--probe", !probe.isEmpty),
        ("--dtype", options.dtype != nil), ("--no-source", merging.noSource),
        ("--source-alignment", merging.sourceAlignment != nil),
        ("--allow-zero", merging.allowZero), ("--json", options.json),
        another,
      ] + outputArguments.given
    guard let option = given.first(where: \.1)?.0 else { return }
    throw ValidationError("'\(option)' is for models, and \(what) is given")
  }
}

/// What `--to` names: a form of models or one of adapters.
enum FormArgument: String, ExpressibleByArgument, CaseIterable {
  case hf, bundle, flare, peft, mlx, gguf

  var modelForm: ConversionRequest.Form {
    get throws {
      guard let form = ConversionRequest.Form(rawValue: rawValue) else {
        throw ValidationError("'--to \(rawValue)' is a form of adapters, and a model is given")
      }
      return form
    }
  }

  var adapterForm: AdapterConversion.Form {
    get throws {
      guard let form = AdapterConversion.Form(rawValue: rawValue) else {
        throw ValidationError("'--to \(rawValue)' is a form of models, and an adapter is given")
      }
      return form
    }
  }
}
