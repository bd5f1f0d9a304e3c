// SPDX-License-Identifier: Apache-2.0
// Internal to the server: what ties an exchange to libmicrohttpd's connection. Everything runs on the loop's
// thread.
#pragma once

#include <microhttpd.h>

#include <functional>
#include <optional>
#include <string>

#include "adapters/http/exchange.hpp"

namespace phalanx::adapters {

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // wake: called when the connection was resumed, so that the server looks at it soon.
  Exchange(MHD_Connection* connection, std::function<void()> wake)
      : connection_(connection), wake_(std::move(wake)) {}

  Request request;
  bool dispatched = false;

  bool answered() const { return response_.has_value() || streaming_; }
  bool streaming() const { return streaming_; }
  bool reader_left() const { return connection_ == nullptr; }

  void answer(Response response);
  void begin_stream(std::string content_type);
  void append(std::string_view bytes);
  void end_stream();

  // Hands the answer to libmicrohttpd, or suspends the connection until there is one.
  MHD_Result deliver();
  // The connection is over, whatever ended it.
  void detach() { connection_ = nullptr; }

 private:
  static ssize_t read_body(void* self, std::uint64_t position, char* buffer, std::size_t size);
  MHD_Result queue_stream();
  void suspend();
  void resume();

  MHD_Connection* connection_;
  std::function<void()> wake_;
  bool suspended_ = false;

  std::optional<Response> response_;
  std::string content_type_;
  bool streaming_ = false;
  bool ended_ = false;
  bool overrun_ = false;
  std::string waiting_;  // of a stream: what libmicrohttpd has not taken yet, from sent_ on
  std::size_t sent_ = 0;
};

// Queues a whole response. MHD_NO when there is no memory: the connection is then closed.
MHD_Result queue_response(MHD_Connection* connection, const Response& response);

}  // namespace phalanx::adapters
