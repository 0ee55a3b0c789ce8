import Adapters
import Conversion
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Checkpoints of FLARE's trainer become a base and adapters that run as PyTorch runs them.
struct TrainerConversionTests {
  struct Case: CustomTestStringConvertible {
    let folder: String
    let adapter: String
    var settings = TrainerAdapterSettings(alpha: 12)
    var ignoresHeads = false
    var changes: [String] = []
    var testDescription: String { folder }
  }

  static let cases = [
    Case(
      folder: "add_relu", adapter: "flare-add_relu",
      changes: ["'vocab_size' is 20, was 19", #"'dtype' is "bfloat16", was "float32""#]),
    // The number of heads and alpha are in peft's file beside the checkpoint.
    Case(
      folder: "cross_attention", adapter: "flare-cross_attention",
      settings: TrainerAdapterSettings(), ignoresHeads: true),
    Case(
      folder: "fusemt", adapter: "flare-fusemt",
      settings: TrainerAdapterSettings(alpha: 12, fusion: "mul")),
    Case(folder: "nf4-task", adapter: "lora"),
  ]

  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  /// Copies what the trainer left of a case into `directory`, without the witnesses beside it.
  func checkpoint(_ folder: String, in directory: FilePath) throws -> FilePath {
    let path = Vectors.path("pickle/trainer/\(folder)")
    let copy = directory.appending("run")
    for name in try path.entryNames
    where path.appending(name).isRegularFile && !name.hasSuffix(".safetensors") {
      try copy.appending(name).writeNew(path.appending(name).readBytes())
    }
    return copy
  }

  func conversion(
    _ test: Case, in directory: FilePath, mayReplace: Bool = false
  ) throws -> TrainerConversion {
    let original = Vectors.path("pickle/trainer/\(test.folder)/original/config.json")
    return try TrainerConversion(
      checkpoint(test.folder, in: directory), to: directory.appending("split"),
      configuration: original.exists ? original : nil, settings: test.settings,
      ignoresHeads: test.ignoresHeads, mayReplace: mayReplace)
  }

  func tokens(_ tensor: Tensor) -> [Int] {
    let bytes = tensor.byteArray
    return stride(from: 0, to: bytes.count, by: 8).map { Int(bytes[$0]) }
  }

  @Test(arguments: cases)
  func `a checkpoint comes apart into a model and an adapter that run as they did`(
    test: Case
  ) throws {
    try withTemporaryDirectory { directory in
      let conversion = try conversion(test, in: directory)
      #expect(TrainerConversion.isPickled(directory.appending("run")))
      #expect(try conversion.run(with: kernels) == test.changes)
      let split = directory.appending("split")
      #expect(try split.entryNames == ["base", test.adapter].sorted())

      let expected = try SafetensorsFile(
        Vectors.path("pickle/trainer/\(test.folder)/expected.safetensors"))
      let text = tokens(try expected.tensor(named: "tokens"))
      let base = try LanguageModel(split.appending("base"), with: kernels)
      let adapter = try Adapter(split.appending(test.adapter), with: kernels)
      let adapted = try base.adapted(by: [AdapterStack.Member(adapter)])

      var source: Source?
      if expected.info(named: "source_states") != nil {
        source = .states(try expected.tensor(named: "source_states"))
      } else if expected.info(named: "source_tokens") != nil {
        source = .tokens(tokens(try expected.tensor(named: "source_tokens")))
      }
      #expect(adapted.adapters.readsSource == (source != nil))
      for (name, model, source) in [
        ("base", base, nil), ("no-source", adapted, nil), ("source", adapted, source),
      ] where name != "source" || source != nil {
        let logits = try model.logits(of: text, source: source).array
        expectClose(
          logits, try expected.tensor(named: "logits.\(name)").floatArray, within: 1e-4)
      }
    }
  }

  @Test func `one file is a checkpoint as well`() throws {
    try withTemporaryDirectory { directory in
      let file = try checkpoint("add_relu", in: directory).appending("pytorch_model.bin")
      #expect(TrainerConversion.isPickled(file))
      let conversion = try TrainerConversion(
        file, to: directory.appending("split"), configuration: nil,
        settings: TrainerAdapterSettings(alpha: 12), ignoresHeads: false, mayReplace: false)
      _ = try conversion.run(with: kernels)
      _ = try LanguageModel(directory.appending("split").appending("base"), with: kernels)
    }
  }

  static let refusals: [(label: String, test: Case, message: String)] = [
    (
      "no alpha",
      Case(
        folder: "add_relu", adapter: "flare-add_relu", settings: TrainerAdapterSettings()),
      "adapter 'flare-add_relu': its lora_alpha is not in the checkpoint, and no "
        + "adapter_config.json beside it says it. Pass --lora-alpha"
    ),
    (
      "no fusion", Case(folder: "fusemt", adapter: "flare-fusemt"),
      "adapter 'flare-fusemt': its name does not say by which function it fuses. Pass --fusion, "
        + "one of add, mul, add_relu, matmul, matmul_relu, cross-attention"
    ),
    (
      "heads",
      Case(
        folder: "cross_attention", adapter: "flare-cross_attention",
        settings: TrainerAdapterSettings()),
      "holds tensors outside of the model, which neither base nor adapter has a place for: "
        + "'qa_outputs.weight' [2, 32], 'qa_outputs.bias' [2]. Pass --ignore-heads to leave them out"
    ),
  ]

  @Test(arguments: refusals.map(\.label))
  func `what is missing is asked for by name and nothing is left behind`(label: String) throws {
    let refusal = try #require(Self.refusals.first { $0.label == label })
    try withTemporaryDirectory { directory in
      let error = #expect(throws: AdapterError.self) {
        try conversion(refusal.test, in: directory).run(with: kernels)
      }
      let names = try directory.entryNames
      #expect(error?.description == "\(directory.appending("run")): \(refusal.message)")
      #expect(names == ["run"])
    }
  }

  @Test func `a base without its configuration is asked for and nothing is left behind`() throws {
    try withTemporaryDirectory { directory in
      let run = try checkpoint("nf4-task", in: directory)
      let conversion = try TrainerConversion(
        run, to: directory.appending("split"), configuration: nil,
        settings: TrainerAdapterSettings(alpha: 12), ignoresHeads: false, mayReplace: false)
      let error = #expect(throws: AdapterError.self) { try conversion.run(with: kernels) }
      #expect(
        error?.description
          == "\(run): has no config.json beside it. Pass the folder of the model that was trained "
          + "with --base")
      #expect(try directory.entryNames == ["run"])
    }
  }

  @Test(arguments: ["../evil", "/tmp/evil", "..", "base", "a/b"])
  func `an adapter whose name is no folder's does not choose where it is written`(
    name: String
  ) throws {
    try withTemporaryDirectory { directory in
      let module = "encoder.model.model.layers.0.self_attn.q_proj"
      func matrix(_ shape: Shape) -> Tensor {
        Tensor(Array(repeating: 1, count: shape.elementCount), shape: shape)
      }
      let table = TensorTable([
        ("\(module).base_layer.weight", matrix([6, 4])),
        ("\(module).lora_A.\(name).weight", matrix([2, 4])),
        ("\(module).lora_B.\(name).weight", matrix([6, 2])),
      ])
      let file = directory.appending("model.safetensors")
      try SafetensorsPlan(table.tensorInfos).write(table, to: file)
      let error = #expect(throws: ConversionError.self) {
        try TrainerConversion(
          file, to: directory.appending("split"), configuration: nil,
          settings: TrainerAdapterSettings(alpha: 4), ignoresHeads: false, mayReplace: false)
      }
      #expect(
        error?.description
          == "\(file): has an adapter named '\(name)', which cannot be the name of its folder")
      #expect(try directory.entryNames == ["model.safetensors"])
    }
  }

  @Test func `a split checkpoint is replaced when asked, a folder of something else is not`() throws
  {
    try withTemporaryDirectory { directory in
      let test = Self.cases[0]
      let split = directory.appending("split")
      _ = try conversion(test, in: directory).run(with: kernels)
      let error = #expect(throws: FileError.self) {
        try conversion(test, in: directory).run(with: kernels)
      }
      #expect(error?.code == .exists)
      _ = try conversion(test, in: directory, mayReplace: true).run(with: kernels)

      for (name, why) in [("notes.txt", "it is a file"), ("base/notes.txt", "notes.txt")] {
        let notes = split.pushing(FilePath(name))
        try notes.overwrite("mine")
        let error = #expect(throws: FileError.self) {
          try conversion(test, in: directory, mayReplace: true)
        }
        #expect(error?.description.contains(why) == true, "\(String(describing: error))")
        #expect(try notes.readText() == "mine")
        notes.removeItem()
      }
    }
  }
}
