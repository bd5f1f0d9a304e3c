// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/document.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace phalanx::adapters {

namespace {

// nlohmann 3.11 tells a SAX handler no positions. This iterator notes how far the lexer has read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* place, const char** progress) : place_(place), progress_(progress) {}

  reference operator*() const { return *place_; }
  CountingIterator& operator++() {
    ++place_;
    *progress_ = place_;
    return *this;
  }
  friend bool operator==(const CountingIterator& left, const CountingIterator& right) {
    return left.place_ == right.place_;
  }
  friend bool operator!=(const CountingIterator& left, const CountingIterator& right) {
    return left.place_ != right.place_;
  }

 private:
  const char* place_;
  const char** progress_;
};

// Lines of rising places in a text.
class LineCounter {
 public:
  LineCounter(const char* begin, const char* const* progress) : place_(begin), progress_(progress) {}

  // Of the token read last. The lexer may have read one character beyond a number, perhaps the newline, so
  // the last character read does not count; no token ends in a newline.
  int line() {
    while (place_ + 1 < *progress_) {
      line_ += *place_++ == '\n' ? 1 : 0;
    }
    return line_;
  }

 private:
  const char* place_;
  const char* const* progress_;
  int line_ = 1;
};

// "[json.exception.parse_error.101] parse error at line 3, column 5: syntax error while ..." -> the rest,
// beginning at "column". The line is told by Problem::line.
std::string syntax_sentence(std::string_view what) {
  const std::size_t column = what.find("column ");
  const std::size_t bracket = what.find("] ");
  if (column != std::string_view::npos) {
    what.remove_prefix(column);
  } else if (bracket != std::string_view::npos) {
    what.remove_prefix(bracket + 2);
  }
  // The lexer quotes what it read last: a string of any length and bytes, control characters escaped.
  constexpr std::size_t kLongest = 300;
  std::string sentence = "this is not JSON: " + std::string(what.substr(0, kLongest));
  std::replace_if(
      sentence.begin(), sentence.end(), [](char letter) { return letter < ' ' || letter == 0x7f; }, '?');
  return what.size() > kLongest ? sentence + "..." : sentence;
}

class TreeBuilder {
 public:
  TreeBuilder(LineCounter lines, Problems& problems) : lines_(lines), problems_(problems) {}

  std::optional<DocumentNode> take() { return std::move(root_); }

  // The handler's names and signatures are those that nlohmann's sax_parse calls.
  bool null() { return add(DocumentNode::Kind::null, {}); }
  bool boolean(bool value) {
    DocumentNode node;
    node.boolean = value;
    return add(DocumentNode::Kind::boolean, std::move(node));
  }
  bool number_integer(std::int64_t value) {
    DocumentNode node;
    node.text = std::to_string(value);
    return add(DocumentNode::Kind::negative, std::move(node));
  }
  bool number_unsigned(std::uint64_t value) {
    DocumentNode node;
    node.natural = value;
    return add(DocumentNode::Kind::natural, std::move(node));
  }
  bool number_float(double, const std::string& written) {
    DocumentNode node;
    node.text = written;
    return add(DocumentNode::Kind::real, std::move(node));
  }
  bool string(std::string& value) {
    DocumentNode node;
    node.text = std::move(value);
    return add(DocumentNode::Kind::text, std::move(node));
  }
  bool binary(nlohmann::json::binary_t&) { return false; }  // JSON text has none
  bool start_object(std::size_t) { return open(DocumentNode::Kind::object); }
  bool start_array(std::size_t) { return open(DocumentNode::Kind::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& value);
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
    problems_.error(lines_.line(), "", syntax_sentence(error.what()));
    return false;
  }

 private:
  // An array or object that is not closed yet.
  struct Frame {
    DocumentNode node;
    std::map<std::string, int, std::less<>> lines_of_keys;
    std::string key;
    int key_line = 1;
    bool duplicate = false;  // `key` is there already: its value is read and dropped
  };

  int line_here() {
    const bool member = !frames_.empty() && frames_.back().node.kind == DocumentNode::Kind::object;
    return member ? frames_.back().key_line : lines_.line();
  }

  bool add(DocumentNode::Kind kind, DocumentNode node) {
    node.kind = kind;
    node.line = line_here();
    return attach(std::move(node));
  }

  bool attach(DocumentNode node);
  bool open(DocumentNode::Kind kind);
  bool close();
  std::string pointer() const;

  LineCounter lines_;
  Problems& problems_;
  std::vector<Frame> frames_;
  std::optional<DocumentNode> root_;
};

bool TreeBuilder::attach(DocumentNode node) {
  if (frames_.empty()) {
    root_ = std::move(node);
    return true;
  }
  Frame& frame = frames_.back();
  if (frame.node.kind == DocumentNode::Kind::array) {
    frame.node.children.push_back(std::move(node));
  } else if (!std::exchange(frame.duplicate, false)) {
    frame.node.keys.push_back(std::move(frame.key));
    frame.node.children.push_back(std::move(node));
  }
  return true;
}

bool TreeBuilder::open(DocumentNode::Kind kind) {
  if (frames_.size() == kMaxDocumentDepth) {
    problems_.error(lines_.line(), "",
                    "the document is nested deeper than " + std::to_string(kMaxDocumentDepth) +
                        " levels; no configuration is");
    return false;
  }
  Frame frame;
  frame.node.kind = kind;
  frame.node.line = line_here();
  frames_.push_back(std::move(frame));
  return true;
}

bool TreeBuilder::close() {
  DocumentNode node = std::move(frames_.back().node);
  frames_.pop_back();
  return attach(std::move(node));
}

bool TreeBuilder::key(std::string& value) {
  Frame& frame = frames_.back();
  frame.key = value;
  frame.key_line = lines_.line();
  const auto [first, fresh] = frame.lines_of_keys.emplace(value, frame.key_line);
  frame.duplicate = !fresh;
  if (!fresh) {
    problems_.error(
        frame.key_line, pointer_to(pointer(), value),
        "this key is already written on line " + std::to_string(first->second) + "; remove one of them");
  }
  return true;
}

std::string TreeBuilder::pointer() const {
  std::string result;
  for (std::size_t i = 0; i + 1 < frames_.size(); ++i) {
    const Frame& frame = frames_[i];
    const bool array = frame.node.kind == DocumentNode::Kind::array;
    result = pointer_to(result, array ? std::to_string(frame.node.children.size()) : frame.key);
  }
  return result;
}

std::string unescaped(std::string_view token) {
  std::string key;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    key += escape ? (token[++i] == '1' ? '/' : '~') : token[i];
  }
  return key;
}

const DocumentNode* child_of(const DocumentNode& node, std::string_view token) {
  if (node.kind != DocumentNode::Kind::array) {
    return node.find(unescaped(token));
  }
  std::size_t index = node.children.size();
  std::from_chars(token.data(), token.data() + token.size(), index);
  return index < node.children.size() ? &node.children[index] : nullptr;
}

}  // namespace

const DocumentNode* DocumentNode::find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == key) {
      return &children[i];
    }
  }
  return nullptr;
}

std::optional<DocumentNode> read_document(std::string_view text, Problems& problems) {
  const char* progress = text.data();
  const char* end = text.data() + text.size();
  TreeBuilder builder(LineCounter(text.data(), &progress), problems);
  const bool complete =
      nlohmann::json::sax_parse(CountingIterator(text.data(), &progress), CountingIterator(end, &progress),
                                &builder, nlohmann::json::input_format_t::json, true, true);
  return complete ? builder.take() : std::nullopt;
}

int line_of(const DocumentNode& root, std::string_view pointer) {
  const DocumentNode* node = &root;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);  // the slash
    const std::size_t slash = pointer.find('/');
    const DocumentNode* child = child_of(*node, pointer.substr(0, slash));
    if (child == nullptr) {
      break;
    }
    node = child;
    pointer.remove_prefix(slash == std::string_view::npos ? pointer.size() : slash);
  }
  return node->line;
}

std::string pointer_to(std::string_view pointer, std::string_view key) {
  std::string result(pointer);
  result += '/';
  for (const char letter : key) {
    if (letter == '~') {
      result += "~0";
    } else if (letter == '/') {
      result += "~1";
    } else {
      result += letter;
    }
  }
  return result;
}

}  // namespace phalanx::adapters
