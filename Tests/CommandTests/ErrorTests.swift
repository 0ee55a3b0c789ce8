import Files
import SystemPackage
import TestSupport
import Testing

/// What a person sees when something is wrong: one sentence, the right exit code, nothing left.
struct ErrorTests {
  static let llama = Vectors.path("models/llama").string
  static let gemma = Vectors.path("models/gemma2").string

  struct Case: CustomTestStringConvertible {
    let label: String
    let arguments: [String]
    let exitCode: Int32
    let message: String
    var testDescription: String { label }
  }

  static let cases = [
    Case(
      label: "no such model", arguments: ["run", "nowhere", "-p", "x"], exitCode: 65,
      message: "flare: nowhere: no such file or directory\n"),
    Case(
      label: "a directory that is no model", arguments: ["inspect", "."], exitCode: 65,
      message: "flare: .: holds neither 'config.json' nor 'manifest.json', so it is no model\n"),
    Case(
      label: "an adapter given as a model",
      arguments: ["run", "\(llama)/lora", "-p", "x"], exitCode: 65,
      message:
        "flare: \(llama)/lora: is an adapter, not a model. "
        + "Give the base model, and this with --adapter\n"),
    Case(
      label: "a model without a tokenizer", arguments: ["run", llama, "-p", "x"], exitCode: 65,
      message:
        "flare: the model has no 'tokenizer.json', so it can continue tokens but not text\n"),
    Case(
      label: "a token outside the vocabulary",
      arguments: ["logits", llama, "--tokens", "1,96", "-o", "out"], exitCode: 64,
      message: "flare: token 96 in the text is outside the vocabulary of 96\n"),
    Case(
      label: "a source that nothing reads",
      arguments: ["logits", llama, "--tokens", "1", "--source-tokens", "2", "-o", "out"],
      exitCode: 64,
      message:
        "flare: a source is given, but no adapter of this model reads one; "
        + "it would change nothing\n"),
    Case(
      label: "an adapter for another model",
      arguments: ["merge", llama, "--adapter", "\(gemma)/lora", "-o", "out"], exitCode: 65,
      message:
        "flare: \(gemma)/lora: adapts 'model.layers.3.mlp.down_proj', which the base does not "
        + "have. The adapter was made for another model\n"),
    Case(
      label: "two FLARE adapters",
      arguments: [
        "merge", llama, "--adapter", "\(llama)/flare-add", "--adapter", "\(llama)/flare-add_relu",
        "-o", "out",
      ], exitCode: 65,
      message:
        "flare: \(llama)/flare-add_relu: is a FLARE adapter, and so is \(llama)/flare-add; each "
        + "reads the source through another base, so only one can run at a time\n"),
    Case(
      label: "quantized weights in a Hugging Face directory",
      arguments: ["convert", llama, "--quantize", "int8", "--to", "hf", "-o", "out"],
      exitCode: 64,
      message:
        "flare: a Hugging Face directory cannot hold 'lm_head.weight' as int8. "
        + "Write a bundle, or leave out --quantize\n"),
    Case(
      label: "an unpacked bundle that is none", arguments: ["pack", llama, "-o", "out"],
      exitCode: 65,
      message:
        "flare: \(llama): holds no 'manifest.json' and so is no bundle. 'flare convert MODEL -o DIR' makes one\n"
    ),
  ]

  @Test(arguments: cases)
  func `bad input is one sentence with the right exit code and leaves nothing`(
    test: Case
  ) throws {
    try withTemporaryDirectory { directory in
      let process = try FinishedProcess("flare", test.arguments, in: directory)
      #expect(process.errors == test.message)
      #expect(process.exitCode == test.exitCode)
      #expect(process.output == "")
      #expect(try directory.entryNames == [])
    }
  }

  @Test func `a wrong option is a usage error`() throws {
    let process = try FinishedProcess("flare", ["merge", Self.llama, "-o", "out"])
    #expect(process.exitCode == 64)
    #expect(process.errors.contains("nothing to merge: give at least one --adapter"))
  }

  @Test func `an existing destination is refused and stays as it was`() throws {
    try withTemporaryDirectory { directory in
      let output = directory.appending("out.flare")
      try output.overwrite("mine")
      let process = try FinishedProcess(
        "flare", ["convert", Self.llama, "-o", output.string])
      #expect(process.exitCode == 73)
      #expect(
        process.errors
          == "flare: \(output): already exists. Choose another path or pass --overwrite\n")
      #expect(try output.readText() == "mine")
      #expect(try directory.entryNames == ["out.flare"])

      let again = try FinishedProcess(
        "flare", ["convert", Self.llama, "-o", output.string, "--overwrite"])
      #expect(again.exitCode == 0, "\(again.errors)")
      #expect(try output.readBytes().count > 4)
    }
  }

  @Test func `overwriting costs nobody a folder of something else, nor the model being read`()
    throws
  {
    try withTemporaryDirectory { directory in
      let folder = directory.appending("work")
      try folder.appending("notes.txt").writeNew("mine")
      let model = folder.appending("base")
      for name in try FilePath(Self.llama).entryNames {
        let file = FilePath(Self.llama).appending(name)
        if file.isRegularFile { try model.appending(name).writeNew(file.readBytes()) }
      }
      for (destination, reason) in [
        (folder, "it is a directory that holds no model"),
        (model, "it holds '\(model)', which is read"),
      ] {
        let process = try FinishedProcess(
          "flare", ["convert", model.string, "-o", destination.string, "--overwrite"])
        #expect(process.exitCode == 73)
        #expect(process.errors.contains("is not written: \(reason)"), "\(process.errors)")
      }
      let part = model.appending("config.json")
      let logits = try FinishedProcess(
        "flare", ["logits", model.string, "--tokens", "1", "-o", part.string, "--overwrite"])
      #expect(logits.errors.contains("it is a part of '\(model)', which is read"))
      let names = try folder.entryNames
      #expect(names == ["base", "notes.txt"])

      // A model with something of somebody's in it is not replaced either.
      let other = directory.appending("other")
      let (first, again) = (
        try FinishedProcess("flare", ["convert", model.string, "-o", other.string]),
        try FinishedProcess("flare", ["convert", model.string, "-o", other.string, "--overwrite"])
      )
      #expect(first.exitCode == 0 && again.exitCode == 0, "\(again.errors)")
      try other.appending("notes.txt").overwrite("mine")
      let refused = try FinishedProcess(
        "flare", ["convert", model.string, "-o", other.string, "--overwrite"])
      #expect(refused.errors.contains("it holds 'notes.txt', which is no part of a model"))
    }
  }

  @Test(arguments: ["out", "out.flare"])
  func `a write that fails half way leaves nothing behind`(name: String) throws {
    try withTemporaryDirectory { directory in
      let output = directory.appending(name)
      // Files of more than 64 blocks of 512 bytes cannot be written, as on a full disk.
      let process = try FinishedProcess(
        "flare", ["convert", Self.llama, "-o", output.string],
        shellPrefix: "ulimit -f 64")
      #expect(process.exitCode == 73)
      #expect(process.errors.contains("cannot be written"))
      #expect(try directory.entryNames == [])
    }
  }

  @Test func `a destination in a folder that does not exist is refused`() throws {
    let process = try FinishedProcess(
      "flare", ["convert", Self.llama, "-o", "/nonexistent/out.flare"])
    #expect(process.exitCode == 73)
    #expect(process.errors.hasPrefix("flare: /nonexistent/out.flare: cannot be written"))
  }

  @Test func `an unknown instruction set is refused with the choices`() throws {
    let process = try FinishedProcess(
      "flare", ["logits", Self.llama, "--tokens", "1", "-o", "/dev/null", "--overwrite"],
      environment: ["FLARE_ISA": "mmx"])
    #expect(process.exitCode == 64)
    #expect(process.errors.contains("no instruction set is called 'mmx'"))
  }
}
