package apiv2

import (
	"context"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ingothq/ingot/internal/domain/ids"
	api "github.com/ingothq/ingot/proto/api/v2"
)

// What is said of the one account and its one environment. Spec 04 §11.3.
const (
	accountEmail = "dev@inngest.local"
	accountName  = "Dev Server"
	envName      = "dev"
)

// accountCreated is when the account and its environment are said to be from.
var accountCreated = time.Date(2021, 5, 13, 9, 30, 4, 0, time.UTC)

// Most items that a client may ask for.
const (
	maxEnvs = 250
	maxKeys = 100
)

// FetchAccount implements apiv2connect.APIServiceHandler.
func (s *service) FetchAccount(context.Context, *connect.Request[api.FetchAccountRequest]) (*connect.Response[api.FetchAccountResponse], error) {
	created := timestamppb.New(accountCreated)
	return answer(&api.FetchAccountResponse{
		Data:     &api.Account{Id: ids.AccountIDText, Email: accountEmail, Name: accountName, CreatedAt: created, UpdatedAt: created},
		Metadata: s.metadata(),
	}, nil)
}

// FetchEnvs implements apiv2connect.APIServiceHandler.
func (s *service) FetchEnvs(_ context.Context, r *connect.Request[api.FetchEnvsRequest]) (*connect.Response[api.FetchEnvsResponse], error) {
	if _, err := limit(r.Msg.Limit, maxEnvs); err != nil {
		return nil, err
	}
	return answer(&api.FetchEnvsResponse{
		Data:     []*api.Env{{Id: ids.EnvIDText, Name: envName, Type: api.EnvType_ENV_TYPE_TEST, CreatedAt: timestamppb.New(accountCreated)}},
		Metadata: s.metadata(), Page: &api.Page{},
	}, nil)
}

// FetchEventKeys implements apiv2connect.APIServiceHandler.
func (s *service) FetchEventKeys(_ context.Context, r *connect.Request[api.FetchEventKeysRequest]) (*connect.Response[api.FetchEventKeysResponse], error) {
	keys, err := s.keys(r.Msg.Limit, r.Header().Get(headerEnv), s.config.EventKeys)
	return answer(&api.FetchEventKeysResponse{Data: keys, Metadata: s.metadata(), Page: &api.Page{}}, err)
}

// FetchSigningKeys implements apiv2connect.APIServiceHandler.
func (s *service) FetchSigningKeys(_ context.Context, r *connect.Request[api.FetchSigningKeysRequest]) (*connect.Response[api.FetchSigningKeysResponse], error) {
	var secrets []string
	if s.config.SigningKey != "" {
		secrets = []string{s.config.SigningKey}
	}
	keys, err := s.keys(r.Msg.Limit, r.Header().Get(headerEnv), secrets)
	return answer(&api.FetchSigningKeysResponse{Data: keys, Metadata: s.metadata(), Page: &api.Page{}}, err)
}

// keys lists secrets without telling them. Unlike the reference: who may read the API need not be who may sign.
func (s *service) keys(asked *int32, env string, secrets []string) ([]*api.Key, error) {
	most, err := limit(asked, maxKeys)
	if err != nil {
		return nil, err
	}
	if env != "" && env != envName {
		return nil, nil
	}
	keys := make([]*api.Key, 0, len(secrets))
	for _, secret := range secrets[:min(len(secrets), most)] {
		keys = append(keys, &api.Key{Environment: envName, Key: masked(secret), CreatedAt: timestamppb.New(s.Clock.Now())})
	}
	return keys, nil
}

const (
	// mask stands for what is not shown of a secret; it says nothing of its length.
	mask = "********"
	// shown is how much is shown of the end of a secret that is at least four times as long.
	shown = 4
)

// masked tells a secret from others to whoever knows them, and nobody else.
func masked(secret string) string {
	if len(secret) < 4*shown {
		return mask
	}
	return mask + secret[len(secret)-shown:]
}

// limit is how many items to return: the number that was asked for, from 1 to most, or most when none was.
func limit(asked *int32, most int) (int, error) {
	switch {
	case asked == nil:
		return most, nil
	case int(*asked) < 1:
		return 0, badFormat("Limit must be at least 1")
	case int(*asked) > most:
		return 0, badFormat(fmt.Sprintf("Limit cannot exceed %d", most))
	}
	return int(*asked), nil
}

// optional is a text that may be absent.
func optional(text string) *string {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return &text
}
