import Files
import JSON
import SystemPackage
import TestSupport
import Testing

/// Many prompts at a time on the command line, and guesses.
struct BatchCommandTests {
  static let samples = Vectors.repository.appending("samples").appending("llama")
  static let model = [
    samples.appending("base").string, "--adapter", samples.appending("task-lora").string,
    "--adapter", samples.appending("flare-add_relu").string,
  ]

  static let requests = """
    {"id": "kafe", "prompt": "Question: Siapa pemilik kafe itu?\\nAnswer: ", \
    "source": "Question: Who owns the cafe?\\nAnswer: ", "n": 4}

    {"id": 7, "prompt": "Context: Tempat tinggal Maya di dekat masjid.\\nQuestion: Di mana Maya \
    tinggal?\\nAnswer: ", "n": 30, "source": "Where does Maya live?"}
    {"prompt": "Context: Rina", "n": 0, "source": "Rina"}
    {"prompt": "Context: Lina", "temperature": 1.5, "seed": 3, "source": "Lina"}
    """

  private func run(
    _ options: [String], _ requests: String = Self.requests, readsInput: Bool = false
  ) throws -> FinishedProcess {
    try withTemporaryDirectory { directory in
      try directory.appending("requests.jsonl").writeNew(requests)
      return try FinishedProcess(
        "flare", ["run"] + Self.model + options, in: directory,
        shellPrefix: readsInput ? "exec < requests.jsonl" : nil)
    }
  }

  @Test func `answers come in the order of the file, each as its prompt alone gets it`() throws {
    let process = try run(["--batch", "requests.jsonl", "--batch-size", "2", "-n", "16"])
    #expect(process.exitCode == 0, "\(process.errors)")
    #expect(process.errors.hasPrefix("flare: 4 answers, "))
    let answers = try JSONValue.lines(of: Array(process.output.utf8).span) { json, _ in
      try JSONFields(json, subject: "answer")
    }
    #expect(answers.map { $0["id"] } == ["kafe", 7, nil, nil])
    #expect(answers.map { $0["line"] } == [1, 3, 4, 5])
    #expect(answers[2]["text"] == "" && answers[2]["tokens"] == 0)

    let alone = [
      ["-p", "Question: Siapa pemilik kafe itu?\\nAnswer: ", "-n", "4"]
        + ["--source", "Question: Who owns the cafe?\\nAnswer: "],
      [
        "-p",
        "Context: Tempat tinggal Maya di dekat masjid.\\nQuestion: Di mana Maya tinggal?\\nAnswer: ",
        "-n", "30", "--source", "Where does Maya live?",
      ],
      ["-p", "Context: Rina", "-n", "0", "--source", "Rina"],
      ["-p", "Context: Lina", "-n", "16", "--temperature", "1.5", "--seed", "3"]
        + ["--source", "Lina"],
    ]
    for (answer, options) in zip(answers, alone) {
      #expect(try run(options).output == answer.required("text", as: String.self) + "\n")
    }
    #expect(Set(try answers.map { try $0.required("text", as: String.self) }).count > 2)
  }

  @Test func `requests come from standard input too`() throws {
    let file = try run(["--batch", "requests.jsonl", "-n", "16"])
    let input = try run(["--batch", "-", "-n", "16"], readsInput: true)
    #expect(input.output == file.output && !input.output.isEmpty)
    let empty = try run(["--batch", "-"], "\n", readsInput: true)
    #expect(empty.exitCode == 65)
    #expect(empty.errors == "flare: standard input: holds no requests\n")
  }

  @Test(arguments: [
    ("{", "expected a key in quotes, got the end of the text at byte 1"),
    ("[1]", "request: got [1], expected an object"),
    ("{}", "request: 'prompt' is missing, expected a string"),
    (#"{"prompt": 1}"#, "request: 'prompt' is 1, expected a string"),
    (#"{"prompt": "a", "n": -1}"#, "request: 'n' is -1, expected 0 or more"),
    (#"{"prompt": "a", "seed": -1}"#, "request: 'seed' is -1, expected 0 or more"),
    (#"{"prompt": "a", "top_k": 0}"#, "top-k is 0, expected 1 or more"),
    (
      #"{"prompt": "a", "max_tokens": 3}"#,
      "request: 'max_tokens' is unknown (known: prompt, source, n, id, temperature, top_k, top_p, "
        + "min_p, seed)"
    ),
  ])
  func `a bad line is refused with its number before anything runs`(
    line: String, message: String
  ) throws {
    let process = try run(
      ["--batch", "requests.jsonl"], #"{"prompt": "a", "source": "a"}"# + "\n\n" + line + "\n")
    #expect(process.errors == "flare: requests.jsonl: line 3: \(message)\n")
    #expect(process.exitCode == 65)
    #expect(process.output == "")
  }

  @Test func `a line that the model cannot answer is refused`() throws {
    let long = String(repeating: "x", count: 9000)
    let process = try run(["--batch", "requests.jsonl"], #"{"prompt": "\#(long)"}"#)
    #expect(process.errors.contains("line 1: the prompt has "))
    #expect(process.errors.contains(" positions; shorten it\n"))
    #expect(process.exitCode == 65 && process.output == "")
  }

  @Test(arguments: [
    (["-p", "x", "--batch", "requests.jsonl"], "give a prompt with '-p', or requests with"),
    ([], "give a prompt with '-p', or requests with '--batch'"),
    (["-p", "x", "--batch-size", "2"], "'--batch-size' is for '--batch'"),
    (["--batch", "requests.jsonl", "--batch-size", "0"], "'--batch-size' is 0, expected 1 to 47"),
    (["--batch", "requests.jsonl", "--source", "x"], "'--source' is for one prompt"),
    (["--batch", "requests.jsonl", "--echo"], "'--echo' is for one prompt"),
    (["--batch", "requests.jsonl", "--json"], "'--json' is for one prompt"),
    (["-p", "x", "--speculate", "0"], "'--speculate' is 0, expected 1 to 46"),
  ])
  func `options that do not go together are a usage error`(
    options: [String], message: String
  ) throws {
    let process = try run(options)
    #expect(process.exitCode == 64)
    #expect(process.errors.contains(message), "\(process.errors)")
    #expect(process.output == "")
  }

  @Test func `guesses leave the text as it is and say what they were worth`() throws {
    let options = ["-p", "Context: Maya Maya Maya Maya", "-n", "24", "--source", "Maya Maya"]
    let plain = try run(options)
    for speculate in [["--speculate"], ["--speculate", "3"]] {
      let guessed = try run(options + speculate)
      #expect(guessed.output == plain.output)
      #expect(guessed.errors.contains(" guesses right"), "\(guessed.errors)")
    }
    #expect(!plain.errors.contains("guesses"))
    let refused = try run(options + ["--speculate", "--source-decode"])
    #expect(refused.exitCode == 64)
    #expect(
      refused.errors == "flare: speculation cannot verify several tokens at once: "
        + "the source is continued beside the text\n")
  }
}
