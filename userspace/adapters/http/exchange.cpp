// SPDX-License-Identifier: Apache-2.0
#include "adapters/http/exchange.hpp"

#include <utility>

#include "adapters/http/connection.hpp"

namespace phalanx::adapters {
namespace {

constexpr std::size_t kStreamBlock = 16 * 1024;

}  // namespace

// Ends the body when the last Stream goes.
struct Stream::End {
  explicit End(std::shared_ptr<Exchange> whose) : exchange(std::move(whose)) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() { exchange->end_stream(); }

  std::shared_ptr<Exchange> exchange;
};

Stream::Stream(std::shared_ptr<Exchange> exchange) : end_(std::make_shared<End>(std::move(exchange))) {}

void Stream::write(std::string_view bytes) {
  end_->exchange->append(bytes);
}

void Stream::close() {
  end_->exchange->end_stream();
}

bool Stream::open() const {
  return !end_->exchange->reader_left();
}

// Answers for a handler that gave the request up.
struct Reply::Debt {
  explicit Debt(std::shared_ptr<Exchange> whose) : exchange(std::move(whose)) {}
  Debt(const Debt&) = delete;
  Debt& operator=(const Debt&) = delete;
  ~Debt() {
    if (!exchange->answered()) {
      exchange->answer(
          {500, "application/json", R"({"error": "the request was given up without an answer"})", ""});
    }
  }

  std::shared_ptr<Exchange> exchange;
};

Reply::Reply(std::shared_ptr<Exchange> exchange) : debt_(std::make_shared<Debt>(std::move(exchange))) {}

void Reply::send(Response response) const {
  debt_->exchange->answer(std::move(response));
}

Stream Reply::stream(std::string content_type) const {
  debt_->exchange->begin_stream(std::move(content_type));
  return Stream(debt_->exchange);
}

void Exchange::answer(Response response) {
  if (answered()) {
    return;
  }
  response_ = std::move(response);
  resume();
}

void Exchange::begin_stream(std::string content_type) {
  if (answered()) {
    ended_ = true;
    return;
  }
  streaming_ = true;
  content_type_ = std::move(content_type);
  resume();
}

void Exchange::append(std::string_view bytes) {
  if (reader_left() || ended_ || overrun_) {
    return;
  }
  overrun_ = waiting_.size() - sent_ + bytes.size() > Stream::kMaxWaiting;
  if (!overrun_) {
    waiting_ += bytes;
  }
  resume();
}

void Exchange::end_stream() {
  ended_ = true;
  resume();
}

MHD_Result Exchange::deliver() {
  if (response_) {
    return queue_response(connection_, *response_);
  }
  if (streaming_) {
    return queue_stream();
  }
  suspend();
  return MHD_YES;
}

MHD_Result Exchange::queue_stream() {
  // The response outlives this call and may outlive the exchange's other owners: it holds one itself.
  auto* owner = new std::shared_ptr<Exchange>(shared_from_this());
  MHD_Response* body = MHD_create_response_from_callback(
      MHD_SIZE_UNKNOWN, kStreamBlock, read_body, owner,
      [](void* held) { delete static_cast<std::shared_ptr<Exchange>*>(held); });
  if (body == nullptr) {
    delete owner;
    return MHD_NO;
  }
  MHD_add_response_header(body, MHD_HTTP_HEADER_CONTENT_TYPE, content_type_.c_str());
  MHD_add_response_header(body, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  const MHD_Result queued = MHD_queue_response(connection_, MHD_HTTP_OK, body);
  MHD_destroy_response(body);
  return queued;
}

ssize_t Exchange::read_body(void* held, std::uint64_t, char* buffer, std::size_t size) {
  Exchange& self = **static_cast<std::shared_ptr<Exchange>*>(held);
  if (self.overrun_) {
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  if (self.sent_ < self.waiting_.size()) {
    const std::size_t taken = self.waiting_.copy(buffer, size, self.sent_);
    self.sent_ += taken;
    if (self.sent_ == self.waiting_.size()) {
      self.waiting_.clear();
      self.sent_ = 0;
    }
    return static_cast<ssize_t>(taken);
  }
  if (self.ended_) {
    return MHD_CONTENT_READER_END_OF_STREAM;
  }
  self.suspend();
  return 0;
}

void Exchange::suspend() {
  MHD_suspend_connection(connection_);
  suspended_ = true;
}

void Exchange::resume() {
  if (suspended_ && connection_ != nullptr) {
    suspended_ = false;
    MHD_resume_connection(connection_);
    wake_();
  }
}

MHD_Result queue_response(MHD_Connection* connection, const Response& response) {
  MHD_Response* message = MHD_create_response_from_buffer(
      response.body.size(), const_cast<char*>(response.body.data()), MHD_RESPMEM_MUST_COPY);
  if (message == nullptr) {
    return MHD_NO;
  }
  MHD_add_response_header(message, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type.c_str());
  MHD_add_response_header(message, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (!response.allow.empty()) {
    MHD_add_response_header(message, MHD_HTTP_HEADER_ALLOW, response.allow.c_str());
  }
  const MHD_Result queued =
      MHD_queue_response(connection, static_cast<unsigned int>(response.status), message);
  MHD_destroy_response(message);
  return queued;
}

}  // namespace phalanx::adapters
