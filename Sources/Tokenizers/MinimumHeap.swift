/// A binary heap of numbers that gives the smallest first.
struct MinimumHeap {
  private var elements: [UInt64]

  /// Orders `elements` in linear time.
  init(_ elements: [UInt64]) {
    self.elements = elements
    for index in (0..<elements.count / 2).reversed() { sink(from: index) }
  }

  mutating func insert(_ element: UInt64) {
    var index = elements.count
    elements.append(element)
    while index > 0, elements[(index - 1) / 2] > element {
      elements[index] = elements[(index - 1) / 2]
      index = (index - 1) / 2
    }
    elements[index] = element
  }

  mutating func popFirst() -> UInt64? {
    guard let last = elements.popLast() else { return nil }
    guard let first = elements.first else { return last }
    elements[0] = last
    sink(from: 0)
    return first
  }

  private mutating func sink(from start: Int) {
    let element = elements[start]
    var index = start
    while true {
      var child = 2 * index + 1
      if child >= elements.count { break }
      if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
      if elements[child] >= element { break }
      elements[index] = elements[child]
      index = child
    }
    elements[index] = element
  }
}
