import JSON
import SystemPackage
import TestSupport
import Testing

/// What `bench` prints of a model so small that it takes no time.
struct BenchTests {
  static let arguments = ["bench", "--shape", "pico", "-p", "8", "-n", "2", "-d", "16", "-r", "1"]
  static let tests = ["source4", "pp8", "tg2", "pp8@16", "tg2@16"]

  func output(_ arguments: [String]) throws -> String {
    let process = try FinishedProcess("flare", Self.arguments + ["--source", "4"] + arguments)
    #expect(process.exitCode == 0)
    #expect(process.errors == "")
    return process.output
  }

  @Test func `JSON has every test with positive numbers`() throws {
    let json = try JSONValue(parsing: try output(["--json"]))
    let results = try #require(json["results"]?.array)
    #expect(results.map { $0["test"]?.string } == Self.tests)
    for result in results {
      #expect(try #require(result["tokens_per_second"]?.number) > 0)
      #expect(try #require(result["gmac_per_second"]?.number) > 0)
      let isDecode = result["test"]?.string?.hasPrefix("tg") == true
      #expect((result["bandwidth_share"]?.number != nil) == isDecode)
      #expect((result["peak_share"]?.number != nil) == !isDecode)
    }
    #expect(try #require(json["limits"]?["read_gb_per_second"]?.number) > 0)
    #expect(try #require(json["limits"]?["int8_gmac_per_second"]?.number) > 0)
    #expect(json["model"]?["adapters"] == ["random FLARE"])
  }

  @Test func `Markdown and text have a row for every test`() throws {
    let rows = try output(["--markdown"]).split(separator: "\n").filter { $0.hasPrefix("|") }
    #expect(rows.count == Self.tests.count + 2)
    #expect(Set(rows.map { $0.filter { $0 == "|" }.count }) == [8])
    let text = try output([])
    for test in Self.tests { #expect(text.contains("\n  \(test) ")) }
  }

  @Test func `a model on disk is timed from its path to its first token`() throws {
    let process = try FinishedProcess(
      "flare",
      ["bench", Vectors.path("models/llama").string, "-p", "4", "-n", "1", "-r", "1", "--json"])
    let opening = try #require(
      try JSONValue(parsing: process.output)["open"])
    let open = try #require(opening["seconds"]?.number)
    #expect(try #require(opening["seconds_to_first_token"]?.number) > open)
    #expect(try #require(opening["first_token_over_prefill"]?.number) > 0)
  }

  @Test func `a context has the bytes that its keys and values need`() throws {
    let json = try JSONValue(parsing: try output(["--context", "500", "--json"]))
    // 2 layers, 8 tiles of 64 positions, keys and values, 2 heads of 16 halves.
    #expect(json["context"]?["key_value_bytes"] == .integer(2 * 512 * 2 * 32 * 2))
    #expect(try #require(json["context"]?["workspace_bytes"]?.integer) > 0)
    #expect(try #require(json["context"]?["seconds_of_last_token"]?.number) > 0)
    #if os(Linux)
      #expect(json["context"]?["process_growth_bytes"]?.integer != nil)
    #endif
  }

  struct Refusal {
    let arguments: [String]
    let message: String
  }

  @Test(arguments: [
    Refusal(
      arguments: [], message: "there is no model to measure. Give a MODEL, or '--shape'"),
    Refusal(
      arguments: ["--shape", "llama-9"],
      message: "no shape is called 'llama-9', expected one of 'llama-3.2-1b', 'llama-3.2-3b', "
        + "'llama-3.1-8b', 'llama-2-7b', 'gemma-2-2b', 'gemma-2-9b', 'pico'"),
    Refusal(
      arguments: ["somewhere", "--shape", "pico"],
      message: "a MODEL and '--shape' are given, expected one of them"),
    Refusal(
      arguments: ["--shape", "pico", "--json", "--markdown"],
      message: "'--json' and '--markdown' are given, expected one of them"),
    Refusal(
      arguments: ["--shape", "pico", "-p", "8,0"],
      message: "'--prefill' is 0, expected 1 to 1048576"),
    Refusal(
      arguments: ["--shape", "pico", "-n", "0"],
      message: "'--decode' is 0, expected 1 to 1048576"),
    Refusal(
      arguments: ["--shape", "pico", "-r", "0"], message: "'--repeats' is 0, expected 1 to 1000"),
    Refusal(
      arguments: ["--shape", "pico", "--source", "0"],
      message: "'--source' is 0, expected 1 to 1048576"),
    Refusal(
      arguments: ["--shape", "pico", "--context", "513"],
      message: "tg1@512 needs 513 positions and the model has 512"),
    Refusal(
      arguments: ["--shape", "pico", "-d", "500"],
      message: "pp256@500 needs 756 positions and the model has 512"),
  ])
  func `what cannot be measured is refused in one sentence`(refusal: Refusal) throws {
    let process = try FinishedProcess("flare", ["bench"] + refusal.arguments)
    #expect(process.exitCode == 64)
    #expect(process.output == "")
    #expect(process.errors == "flare: \(refusal.message)\n")
  }
}
