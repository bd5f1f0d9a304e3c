// SPDX-License-Identifier: Apache-2.0
// One request and its answer, as handlers see them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace phalanx::adapters {

struct Request {
  std::string method;                        // "GET", "POST"; HEAD arrives as GET
  std::string path;                          // percent-decoded, without the query
  std::map<std::string, std::string> query;  // percent-decoded; of a key given twice, the last
  std::string body;
  std::string name;  // what stood for "*" in the route's pattern
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // of a 405: the methods that there are
};

class Exchange;  // the server's side

// A body that is written bit by bit. Copies write to the same body; it ends when the last copy is gone.
class Stream {
 public:
  // Bytes that may wait for a slow reader. One that is further behind is disconnected, so that it costs no
  // more memory than this.
  static constexpr std::size_t kMaxWaiting = std::size_t{4} << 20;

  // Does nothing once the reader has gone.
  void write(std::string_view bytes);
  // The end of the body: what waits is still sent.
  void close();
  // Whether somebody still reads. A reader that left is noticed at the next write, at the latest when the
  // server sends its keep-alive.
  bool open() const;

 private:
  friend class Reply;
  struct End;
  explicit Stream(std::shared_ptr<Exchange> exchange);
  std::shared_ptr<End> end_;
};

// The right to answer one request, now or later, on the loop's thread. Copies answer the same request; the
// first answer counts. A request whose last copy goes without an answer gets a 500. Once the client has left,
// answers go nowhere.
class Reply {
 public:
  explicit Reply(std::shared_ptr<Exchange> exchange);

  void send(Response response) const;
  // A chunked body of lines: an empty line is sent now and then, so that a reader that left is noticed.
  Stream stream(std::string content_type) const;

 private:
  struct Debt;
  std::shared_ptr<Debt> debt_;
};

}  // namespace phalanx::adapters
