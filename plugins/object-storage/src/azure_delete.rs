//! Deleting one object at Azure. `object_store` sends a batch of requests there, each with an authorization of its own;
//! one plain request does.

use entente_destination::DestinationError;
use entente_destination::http::{Method, percent};
use object_store::azure::{AzureAuthorizer, AzureCredentialProvider};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use object_store::path::Path;

use crate::service::{Service, told};

/// Deletes objects of one container.
pub struct AzureDelete {
    /// How requests are sent.
    pub service: Service,
    /// The name of the storage account.
    pub account: String,
    /// What requests are signed with.
    pub credentials: AzureCredentialProvider,
    /// The container's address, without a slash at its end.
    pub container: String,
}

impl AzureDelete {
    /// Deletes an object, if it is there.
    ///
    /// # Errors
    /// What the service's answer means.
    pub async fn delete(&self, path: &Path) -> Result<(), DestinationError> {
        let unfit = || DestinationError::Config("the object's name does not fit into an address".to_owned());
        let names: Vec<String> = path.parts().map(|name| percent(name.as_ref())).collect();
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = format!("{}/{}", self.container, names.join("/")).parse().map_err(|_| unfit())?;
        let credential = self.credentials.get_credential().await.map_err(|error| told(&error))?;
        AzureAuthorizer::new(&credential, &self.account).try_authorize(&mut request).map_err(|_| unfit())?;
        self.service.call(request).await.map_err(|error| told(&error))?;
        Ok(())
    }
}
