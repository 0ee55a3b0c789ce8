import Adapters
import Conversion
import Files
import Kernels
import Models
import SystemPackage
import TestSupport
import Testing

/// What a layout cannot hold is refused by name, and leaves nothing.
struct AdapterRefusalTests {
  struct Case: CustomTestStringConvertible {
    let adapter: String
    var model = "llama"
    let destination: String
    let detail: String
    var testDescription: String { "\(adapter) to \(destination)" }
  }

  static let cases =
    [
      Case(
        adapter: "dora", destination: "x.gguf",
        detail: "'model.layers.0.mlp.down_proj' has DoRA's lengths, which a GGUF adapter cannot "
          + "express. Merge it into the base instead"),
      Case(
        adapter: "saved-head", destination: "x.gguf",
        detail: "'lm_head.weight' is brought whole (modules_to_save), which a GGUF adapter cannot "
          + "express. Merge it into the base instead"),
      Case(
        adapter: "trainable-tokens", destination: "x.gguf",
        detail: "'model.embed_tokens.weight' is brought whole (trainable_token_indices), which a "
          + "GGUF adapter cannot express. Merge it into the base instead"),
      Case(
        adapter: "lora-bias", model: "llama-biased", destination: "x.gguf",
        detail: "'model.layers.0.self_attn.q_proj' has a bias ('lora_bias'), which a GGUF adapter "
          + "cannot express. Merge it into the base instead"),
      Case(
        adapter: "saved-norm", destination: "x",
        detail: "brings 'model.layers.1.input_layernorm.weight' whole; an adapter that does is "
          + "already in PEFT's layout. Copy its folder"),
    ]
    + AdapterConversionTests.fusions.map {
      Case(
        adapter: $0, destination: "x.gguf",
        detail: "'\(firstModule($0))' is of a FLARE adapter (\(fusionName($0))), which a GGUF "
          + "adapter cannot express. Merge it into the base instead")
    }

  /// These two adapt every linear.
  static func firstModule(_ adapter: String) -> String {
    ["flare-add", "flare-add_relu"].contains(adapter)
      ? "model.layers.0.mlp.down_proj" : "model.layers.0.self_attn.o_proj"
  }

  static func fusionName(_ adapter: String) -> String {
    adapter == "flare-mt" ? "add_relu" : String(adapter.dropFirst("flare-".count))
  }

  func conversion(_ model: VectorModel, _ adapter: FilePath, to destination: FilePath) throws
    -> AdapterConversion
  {
    try AdapterConversion(adapter, for: model.files(), to: destination, with: model.kernels)
  }

  @Test(arguments: cases)
  func `what a form cannot hold is named and nothing is left`(test: Case) throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel(test.model)
      let path = model.path.appending(test.adapter)
      let conversion = try conversion(model, path, to: directory.appending(test.destination))
      let error = #expect(throws: AdapterError.self) { try conversion.run(with: model.kernels) }
      #expect(error?.description == "\(path): \(test.detail)")
      #expect(try directory.entryNames == [])
    }
  }

  @Test func `what a merge left becomes no adapter`() throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      let merged = directory.appending("merged")
      let merge = ConversionRequest(
        model: try model.files(), adapters: try model.members("flare-add"), destination: merged,
        form: .huggingFace)
      try Conversion(merge, with: model.kernels).run()
      let residue = merged.appending("adapters").appending("0")
      for (name, detail) in [
        ("x", "is what a merge left of an adapter, which PEFT would apply twice"),
        ("x.gguf", "is of a FLARE adapter (add), which a GGUF adapter cannot express"),
      ] {
        let conversion = try AdapterConversion(
          residue, for: name == "x" ? nil : model.files(), to: directory.appending(name),
          with: model.kernels)
        let error = #expect(throws: AdapterError.self) { try conversion.run(with: model.kernels) }
        #expect(error?.description.contains(detail) == true, "\(String(describing: error))")
      }
      #expect(try directory.entryNames == ["merged"])
    }
  }

  @Test func `GGUF is neither written nor read without its base`() throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      let file = directory.appending("lora.gguf")
      let lora = model.path.appending("lora")
      let writing = try AdapterConversion(lora, for: nil, to: file, with: model.kernels)
      let unwritten = #expect(throws: ConversionError.self) {
        try writing.run(with: model.kernels)
      }
      #expect(
        unwritten?.description
          == "a GGUF adapter has its rows in an order that depends on the base. Pass --base")
      #expect(try directory.entryNames == [])

      try conversion(model, lora, to: file).run(with: model.kernels)
      let unread = #expect(throws: AdapterError.self) {
        try AdapterConversion(file, for: nil, to: directory.appending("x"), with: model.kernels)
      }
      #expect(
        unread?.description
          == "\(file): a GGUF adapter has its rows in an order that depends on the base. "
          + "Say which base it is for")
      let foreign = #expect(throws: AdapterError.self) {
        try self.conversion(VectorModel("gemma2"), file, to: directory.appending("x"))
      }
      #expect(foreign?.description == "\(file): was made for 'llama', the base is 'gemma2'")
      #expect(try directory.entryNames == ["lora.gguf"])
    }
  }

  @Test func `an adapter for another model is refused before anything is written`() throws {
    try withTemporaryDirectory { directory in
      let path = Vectors.path("models/gemma2/lora")
      let error = #expect(throws: AdapterError.self) {
        try conversion(VectorModel("llama"), path, to: directory.appending("x"))
      }
      let names = try directory.entryNames
      #expect(error?.description.hasSuffix("The adapter was made for another model") == true)
      #expect(names == [])
    }
  }

  @Test(arguments: ["lora", "lora.gguf"])
  func `an adapter that is there stays unless it may be replaced`(name: String) throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      let destination = directory.appending(name)
      try conversion(model, model.path.appending("lora"), to: destination)
        .run(with: model.kernels)
      let other = model.path.appending("lora-2")
      let refused = try conversion(model, other, to: destination)
      let error = #expect(throws: FileError.self) { try refused.run(with: model.kernels) }
      #expect(error?.code == .exists)
      #expect(try model.adapter(at: destination).updates.count == 21)

      try AdapterConversion(
        other, for: model.files(), to: destination, mayReplace: true, with: model.kernels
      ).run(with: model.kernels)
      #expect(try model.adapter(at: destination).updates.count == 6)
      #expect(try directory.entryNames == [name])
    }
  }

  @Test func `overwriting costs nobody a folder of something else`() throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      let folder = directory.appending("work")
      for (name, why) in [
        ("notes.txt", "it is a directory that holds no adapter"),
        ("adapter_config.json", "it holds 'notes.txt', which is no part of an adapter"),
      ] {
        try folder.appending(name).writeNew("mine")
        let error = #expect(throws: FileError.self) {
          try AdapterConversion(
            model.path.appending("lora"), for: nil, to: folder, mayReplace: true,
            with: model.kernels
          ).run(with: model.kernels)
        }
        #expect(error?.description == "\(folder): is not written: \(why). Choose another path")
      }
      #expect(try folder.entryNames == ["adapter_config.json", "notes.txt"])
    }
  }
}
