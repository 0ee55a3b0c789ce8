import Files
import JSON
import SystemPackage
import TestSupport
import Testing

/// Where commands write, and what they say of it.
struct DestinationTests {
  private func flare(_ arguments: [String], in folder: FilePath) throws -> FinishedProcess {
    try FinishedProcess("flare", arguments, in: folder)
  }

  private let base = BundleTests.base.string

  @Test func `a bundle with probes gives way to another, one with a stranger's file does not`()
    throws
  {
    try withTemporaryDirectory { folder in
      let convert = ["convert", base, "--quantize", "int4", "-o", "m"]
      #expect(try flare(convert + ["--probe", "Where"], in: folder).exitCode == 0)
      #expect(folder.appending("m").appending("probes.json").exists)
      #expect(try flare(convert + ["--overwrite"], in: folder).exitCode == 0)
      #expect(!folder.appending("m").appending("probes.json").exists)
      try folder.appending("m").appending("notes.txt").overwrite("mine")
      let refused = try flare(convert + ["--overwrite"], in: folder)
      #expect(refused.exitCode == 73 && refused.errors.contains("it holds 'notes.txt'"))
    }
  }

  @Test func `nothing is written into a bundle that is read`() throws {
    try withTemporaryDirectory { folder in
      #expect(try flare(["convert", base, "-o", "m"], in: folder).exitCode == 0)
      let inside = try flare(["convert", "m", "--quantize", "int4", "-o", "m/small"], in: folder)
      #expect(inside.exitCode == 73 && inside.errors.contains("it would be in the bundle 'm'"))
      #expect(try flare(["verify", "m"], in: folder).exitCode == 0)
    }
  }

  @Test func `a report names the files of a split destination and counts their bytes`() throws {
    try withTemporaryDirectory { folder in
      let split = try flare(
        ["convert", base, "-o", "m.gguf", "--max-shard-size", "1MB", "--json"], in: folder)
      let report = try JSONValue(parsing: split.output)
      let names = report["files"]?.array?.compactMap(\.string) ?? []
      #expect(names.count > 1)
      let byteCount = names.reduce(0) { $0 + (folder.appending($1).fileByteCount ?? 0) }
      #expect(report["bytes"] == .integer(byteCount))
    }
  }

  @Test func `a folder for Ollama refuses what it cannot hold`() throws {
    try withTemporaryDirectory { folder in
      for (options, reason) in [
        (["--quantize", "int4"], "int8 and int4 are for Flare's bundles"),
        (["--max-shard-size", "1MB"], "a Modelfile names one file"),
      ] {
        let refused = try flare(["export", base, "--ollama", "out"] + options, in: folder)
        #expect(refused.exitCode == 64 && refused.errors.contains(reason))
      }
      #expect(!folder.appending("out").exists)
    }
  }

  @Test(arguments: [["--rounding", "twice"], ["--allow-zero"]])
  func `what says how to merge is refused where nothing is merged`(option: [String]) throws {
    try withTemporaryDirectory { folder in
      let refused = try flare(["convert", base, "-o", "m"] + option, in: folder)
      #expect(refused.exitCode == 64 && refused.errors.contains("Leave out \(option[0])"))
      #expect(!folder.appending("m").exists)
    }
  }

  @Test func `applying a delta takes no options of merging`() throws {
    let refused = try FinishedProcess(
      "flare", ["apply", "d", "--base", base, "-o", "o", "--no-source"])
    #expect(refused.exitCode == 64 && refused.errors.contains("--no-source"))
  }

  @Test func `the plan of a GGUF file with factors of rope leads to that file`() throws {
    try withTemporaryDirectory { folder in
      let convert = ["convert", base, "-o", "m.gguf"]
      let plan = try flare(convert + ["--plan", "--json"], in: folder).output
      #expect(plan.contains("rope_freqs.weight"))
      try folder.appending("plan.json").overwrite(plan)
      #expect(try flare(convert, in: folder).exitCode == 0)
      let bytes = try folder.appending("m.gguf").readBytes()
      let planned = try flare(convert + ["--plan-file", "plan.json", "--overwrite"], in: folder)
      #expect(planned.exitCode == 0, "\(planned.errors)")
      #expect(try folder.appending("m.gguf").readBytes() == bytes)
    }
  }

  @Test func `a delta says which model it changes`() throws {
    try withTemporaryDirectory { folder in
      let adapter = BundleTests.base.removingLastComponent().appending("task-lora").string
      for arguments in [
        ["merge", base, "--adapter", adapter, "-o", "tuned"],
        ["pack", "tuned", "--delta-from", base, "-o", "delta.flare"],
      ] {
        #expect(try flare(arguments, in: folder).exitCode == 0)
      }
      let delta = try JSONValue(
        parsing: flare(["inspect", "delta.flare", "--json"], in: folder).output)
      #expect(delta["made_from"]?.string?.hasPrefix("base (") == true, "\(delta)")
    }
  }
}
